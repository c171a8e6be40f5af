-- Makes a batch, or opens an existing one for more rows. Admission does not see a batch that is loading.
--
-- ARGV  2 batch, 3 settings: {field = value} written over what is there; '' takes a field away.
--         `budget` is the manifest's: it is written only when it is another one than at the last submit, so that what
--         was set by hand since then stays.
--       4 when its window is open: [[from, until], …] for so long as was reckoned ahead. After the last it is closed,
--         until it is submitted again: a batch that lies for a year must not wake up by itself.
-- Returns the batch's state: 'loading' for a new or unfinished one, else the state it keeps.

local bkey = batch_key(ARGV[2])
local now = now_ms()
if redis.call('EXISTS', bkey) == 0 then
  redis.call('HSET', bkey, 'state', 'loading', 'created_at', now, 'priority', 0, 'weight', 1, 'total', 0,
             'reserved', 0, 'unknown', 0, 'confirmed', 0, 'estimated', 0)
  redis.call('ZADD', P .. 'batches', now, ARGV[2])
end
-- It was cancelled before: what is submitted from now on is wanted.
redis.call('HDEL', bkey, 'cancel', 'cancelled_at', 'cancelled_by', 'cancelled_reason')
local settings = cjson.decode(ARGV[3])
local window = P .. 'window:' .. ARGV[2]
redis.call('DEL', window)
for _, interval in ipairs(cjson.decode(ARGV[4])) do redis.call('ZADD', window, interval[2], interval[1]) end
if settings.budget == (redis.call('HGET', bkey, 'manifest_budget') or '') then
  settings.budget = nil
else
  redis.call('HSET', bkey, 'manifest_budget', settings.budget)
end
for name, value in pairs(settings) do
  if value == '' then redis.call('HDEL', bkey, name) else redis.call('HSET', bkey, name, value) end
end
return redis.call('HGET', bkey, 'state')
