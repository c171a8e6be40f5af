-- Drops a part of a final batch: as many items as asked for, and at last the batch itself.
--
-- ARGV  2 batch, 3 how many items at most
-- Returns {items left, 1 when the batch is gone}; {-1, 0} when it is not final: then nothing was dropped.

local batch = ARGV[2]
local bkey, order = batch_key(batch), P .. 'order:' .. batch
if redis.call('HGET', bkey, 'state') ~= 'final' then return {-1, 0} end
for _, id in ipairs(redis.call('ZRANGE', order, 0, tonumber(ARGV[3]) - 1)) do
  local key = item_key(batch, id)
  for n = 1, tonumber(redis.call('HGET', key, 'made') or 0) do
    local a = redis.call('HMGET', attempt_key(batch, id, n), 'scope', 'remote_id')
    if a[2] and redis.call('HGET', P .. 'remote:' .. a[1], a[2]) == attempt_ref(batch, id, n) then
      redis.call('HDEL', P .. 'remote:' .. a[1], a[2])
      redis.call('ZREM', P .. 'known:' .. a[1], a[2])
    end
    redis.call('DEL', attempt_key(batch, id, n))
  end
  hand_on(batch, id, false, now_ms())
  drop_print(redis.call('HGET', key, 'fingerprint'), batch .. '/' .. id)
  redis.call('DEL', key, remixes_of(batch, id), abandoned_key(batch, id))
  redis.call('HDEL', P .. 'specs:' .. batch, id)
  redis.call('ZREM', order, id)
end
local left = redis.call('ZCARD', order)
if left > 0 then return {left, 0} end
keep_booked(batch, now_ms())
redis.call('DEL', bkey, order, P .. 'specs:' .. batch, P .. 'window:' .. batch, P .. 'sweep:' .. batch)
redis.call('ZREM', P .. 'batches', batch)
redis.call('ZREM', P .. 'reports', batch)
redis.call('ZREM', P .. 'sweeps', batch)
return {0, 1}
