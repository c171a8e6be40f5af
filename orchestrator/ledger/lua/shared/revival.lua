-- Making an item after all that ended without a video, because a person wants it; loaded behind shared/links.lua.

local OF_END = {'reason', 'message', 'billed', 'candidates', 'retries', 'rerenders', 'resent', 'reused', 'listed', 'twin',
                'not_before', 'cancel', 'cancel_at', 'cancel_by', 'cancel_reason'}
local MAY_BE_PAID = {unknown = true, confirmed = true}

-- What it would mean: {price or nil, again = its last attempt is paid, or may be; waits_for = the state of what it is to
-- be made from, where that ended without a video too}. What was to take another's video costs what it would have cost.
local function revival_of(batch, id)
  local i = redis.call('HMGET', item_key(batch, id), 'attempt', 'price', 'reused', 'listed', 'source')
  local found = {price = tonumber(i[3] and i[4] or i[2] or nil)}
  found.again = MAY_BE_PAID[redis.call('HGET', attempt_key(batch, id, i[1]), 'money')] or false
  local source = i[5] and redis.call('HGET', item_key(batch, i[5]), 'state')
  found.waits_for = source and ENDED[source] and source or nil
  return found
end

-- The lane that it waits in: its model's or deployment's own; of a remix where its source is, or none until that is made.
local function lane_after(batch, id)
  local key = item_key(batch, id)
  local i = redis.call('HMGET', key, 'source', 'pin', 'model')
  if not i[1] then return i[2] and '@' .. i[2] or i[3] end
  local s = redis.call('HMGET', item_key(batch, i[1]), 'state', 'deployment', 'remote_id')
  if s[1] ~= 'archived' and s[1] ~= 'archiving' then return '' end
  redis.call('HSET', key, 'source_id', s[3])
  return '@' .. s[2]
end

-- Queues it for its next attempt, with the same content. Its batch is wanted again, also where all of it was cancelled:
-- each of its items knows by itself whether it was.
local function revive(batch, id, state, found, now)
  local key, bkey = item_key(batch, id), batch_key(batch)
  local reused = redis.call('HEXISTS', key, 'reused') == 1
  if reused or found.again then redis.call('HINCRBY', bkey, 'estimated', found.price or 0) end
  local lane = lane_after(batch, id)
  redis.call('HSET', key, 'lane', lane, 'price', found.price and string.format('%.0f', found.price) or '')
  redis.call('HDEL', key, unpack(OF_END))
  redis.call('HDEL', bkey, 'cancel', 'cancelled_at', 'cancelled_by', 'cancelled_reason')
  local source = redis.call('HGET', key, 'source')
  if source then redis.call('SREM', abandoned_key(batch, source), id) end
  reopen_batch(batch)
  move(batch, id, state, TABLE.revived[state], now)
end
