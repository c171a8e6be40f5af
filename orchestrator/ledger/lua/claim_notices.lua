-- Claims notices that are due, and moves their due time forward: of a worker that dies, another one takes them on.
--
-- ARGV  2 [channel, …] that whoever asks serves, 3 allowance in ms, 4 how many at most, 5 ms after which nobody wants to
--       know any more what no worker could send
-- Returns {ms until the next one is due or -1, {id, tries so far with this one, ms since it was left, channel, occasion,
-- facts}, …}. Counted before it is sent, so that one that ends its worker each time is not sent for ever.
--
-- Its work is bounded, however many notices there are: of each channel it looks at a few more than it may claim, and of
-- all of them at one page. Where there are more, each call looks at the page behind the last one's ('notices_from').

local PAGE, A_DAY = 1000, 86400000
local now, most = now_ms(), tonumber(ARGV[4])
local serves, due, candidates, next_due = {}, {}, {}, nil

-- Where a notice is due further off than a day, a clock stepped back.
local function is_due(at) return at <= now or at > now + A_DAY end
local function look(id, at)
  if due[id] then return end
  if is_due(at) then
    due[id], candidates[#candidates + 1] = at, id
  elseif not next_due or at < next_due then
    next_due = at
  end
end

local function look_at_page()
  local from = tonumber(redis.call('HGET', KEYS[1], 'notices_from') or 0)
  local found, dropped = redis.call('ZRANGE', ALL_NOTICES, from, from + PAGE - 1, 'WITHSCORES'), 0
  for n = 1, #found, 2 do
    local id, at = found[n], tonumber(found[n + 1])
    local h = redis.call('HMGET', notice_key(id), 'channel', 'left_at')
    if not h[1] or not serves[h[1]] and now - tonumber(h[2] or 0) > tonumber(ARGV[5]) then
      drop_notice(id, h[1])
      dropped = dropped + 1
    elseif serves[h[1]] then
      file_notice(h[1], id, at, now)                       -- left, or tried, by a release that files none
      look(id, at)
    end
  end
  if #found == 2 * PAGE then
    redis.call('HSET', KEYS[1], 'notices_from', from + PAGE - dropped)
  elseif from > 0 then
    redis.call('HDEL', KEYS[1], 'notices_from')
  end
end

local function look_at_channel(channel)
  local set = channel_key(channel)
  local function look_at(found)
    for n = 1, #found, 2 do
      local id, at = found[n], tonumber(redis.call('ZSCORE', ALL_NOTICES, found[n]))
      if at ~= tonumber(found[n + 1]) then next_due = now end    -- and there may be more behind it
      if not at then
        redis.call('ZREM', set, id)
      elseif redis.call('EXISTS', notice_key(id)) == 1 then
        file_notice(channel, id, at, now)
        look(id, at)
      else
        drop_notice(id, channel)
      end
    end
  end
  local beyond = string.format('(%.0f', now + A_DAY)
  look_at(redis.call('ZRANGEBYSCORE', set, beyond, '+inf', 'WITHSCORES', 'LIMIT', 0, most + 1))
  look_at(redis.call('ZRANGE', set, 0, most, 'WITHSCORES'))
end

for _, channel in ipairs(cjson.decode(ARGV[2])) do
  serves[channel] = true
  look_at_channel(channel)
end
look_at_page()

table.sort(candidates, function(a, b) return due[a] < due[b] end)
local answer = {-1}
for n, id in ipairs(candidates) do
  if n > most then next_due = now break end
  local key = notice_key(id)
  local h = redis.call('HMGET', key, 'channel', 'occasion', 'facts', 'left_at')
  set_notice_due(h[1], id, string.format('%.0f', now + tonumber(ARGV[3])), now)
  answer[#answer + 1] = {id, redis.call('HINCRBY', key, 'tries', 1), now - tonumber(h[4] or 0), h[1], h[2], h[3]}
end
if next_due then answer[1] = math.max(next_due - now, 0) end
return answer
