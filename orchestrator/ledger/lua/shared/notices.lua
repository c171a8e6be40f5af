-- Where notices stand; loaded behind shared/ledger.lua.
--
-- 'notices' has each by when it is due, 'notice:ID' what it says. 'notices:CHANNEL' has those of one webhook once more,
-- so that no number of others, which perhaps nobody here sends, stands before them. A release that knows only 'notices'
-- works beside this one: what 'notices' says counts, and the webhook's own may be behind it or lack some.

local ALL_NOTICES = P .. 'notices'
local NOTICES_KEPT_MS = 172800000          -- twice the day after which nobody wants to know

local function notice_key(id) return P .. 'notice:' .. id end
local function channel_key(channel) return P .. 'notices:' .. channel end

-- Among those of its webhook; what nobody looks at there goes by itself.
local function file_notice(channel, id, due, now)
  redis.call('ZADD', channel_key(channel), due, id)
  redis.call('PEXPIREAT', channel_key(channel), string.format('%.0f', now + NOTICES_KEPT_MS))
end

local function set_notice_due(channel, id, due, now)
  redis.call('ZADD', ALL_NOTICES, due, id)
  file_notice(channel, id, due, now)
end

local function drop_notice(id, channel)
  redis.call('ZREM', ALL_NOTICES, id)
  if channel then redis.call('ZREM', channel_key(channel), id) end
  return redis.call('DEL', notice_key(id))
end
