-- Ends a batch's pause, at once for every worker. It takes up its turns from now on: those of the pause are gone.
-- Items that were paused themselves stay so.
--
-- ARGV  2 batch
-- Returns {state before, 1 when it was not paused or else 0, 1 when it is cancelled or else 0}; nil when there is no
-- such batch.

local batch = ARGV[2]
local bkey = batch_key(batch)
local b = redis.call('HMGET', bkey, 'state', 'paused_at', 'cancel')
if not b[1] then return nil end
if b[1] == 'paused' then redis.call('HSET', bkey, 'state', 'running') end
redis.call('HDEL', bkey, 'paused_at', 'paused_by', 'paused_reason')
index_lanes(batch)
return {b[1], b[2] and 0 or 1, b[3] and 1 or 0}
