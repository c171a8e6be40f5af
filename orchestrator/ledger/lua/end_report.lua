-- A batch's results and contact sheet are out: it is due again only when it may be forgotten.
--
-- ARGV  2 batch, 3 the report's version as claimed (0: never), 4 ms until it may be forgotten, 5 JSON: the files that its
--       documents stand in
-- Returns 1, or 0 when another worker has claimed the report since, or the batch runs again.

local key = batch_key(ARGV[2])
local b = redis.call('HMGET', key, 'state', 'report_v')
if b[1] ~= 'final' or (b[2] or '0') ~= ARGV[3] then return 0 end
local now = now_ms()
redis.call('ZADD', P .. 'reports', string.format('%.0f', now + tonumber(ARGV[4])), ARGV[2])
redis.call('HSET', key, 'reported_at', now, 'documents', ARGV[5] or '{}')
return 1
