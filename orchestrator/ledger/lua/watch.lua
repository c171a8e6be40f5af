-- What a look at an orphan saw: a remote job of ours that its item could not take.
--
-- ARGV  2 batch, 3 item, 4 attempt, 5 number of the claim, 6 {attempt = {field = value}, due_in_ms, ended = state or absent,
--       money = bucket or absent}
-- Returns 1; 0 when somebody else looks at it by now, or an item has taken it.

local batch, id, n = ARGV[2], ARGV[3], ARGV[4]
local akey, me, patch = attempt_key(batch, id, n), attempt_ref(batch, id, n), cjson.decode(ARGV[6])
local a = redis.call('HMGET', akey, 'orphan', 'watch_v', 'deployment', 'orphan_id', 'remote_id')
if a[1] ~= 'rendering' or a[2] ~= ARGV[5] then return 0 end
set_fields(akey, patch.attempt)
if patch.ended then
  redis.call('HSET', akey, 'orphan', patch.ended)
  redis.call('ZREM', open_key(a[3]), me)
  -- An attempt that kept another job's video has its price settled with that one.
  if patch.money and a[4] == a[5] then settle(batch, id, n, patch.money) end
else
  redis.call('ZADD', open_key(a[3]), string.format('%.0f', now_ms() + patch.due_in_ms), me)
end
return 1
