-- Makes a batch, or opens an existing one for more rows. Admission does not see a batch that is loading.
--
-- ARGV  2 batch, 3 settings: {field = value} written over what is there; '' takes a field away
-- Returns the batch's state: 'loading' for a new or unfinished one, else the state it keeps.

local bkey = batch_key(ARGV[2])
local now = now_ms()
if redis.call('EXISTS', bkey) == 0 then
  redis.call('HSET', bkey, 'state', 'loading', 'created_at', now, 'priority', 0, 'weight', 1, 'total', 0,
             'reserved', 0, 'unknown', 0, 'confirmed', 0, 'estimated', 0)
  redis.call('ZADD', P .. 'batches', now, ARGV[2])
end
for name, value in pairs(cjson.decode(ARGV[3])) do
  if value == '' then redis.call('HDEL', bkey, name) else redis.call('HSET', bkey, name, value) end
end
return redis.call('HGET', bkey, 'state')
