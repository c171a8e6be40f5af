-- A batch's results and contact sheet are out: it is no longer due, unless it moved on meanwhile.
--
-- ARGV  2 batch, 3 the report's version as claimed
-- Returns 1, or 0 when another worker has claimed the report since, or the batch runs again.

local key = batch_key(ARGV[2])
local b = redis.call('HMGET', key, 'state', 'report_v')
if b[1] ~= 'final' or b[2] ~= ARGV[3] then return 0 end
redis.call('ZREM', P .. 'reports', ARGV[2])
redis.call('HSET', key, 'reported_at', now_ms())
return 1
