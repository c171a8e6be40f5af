-- Pauses a batch: no create of it starts any more, at once for every worker. What was sent goes on. One write.
--
-- ARGV  2 batch, 3 {by, reason}
-- Returns {state before, 1 when it is paused already or else 0, 1 when it is cancelled or else 0}: with a final batch, or
-- one of those, nothing was written. nil when there is no such batch.

local batch, word = ARGV[2], cjson.decode(ARGV[3])
local bkey = batch_key(batch)
local b = redis.call('HMGET', bkey, 'state', 'paused_at', 'cancel')
if not b[1] then return nil end
if b[1] == 'final' or b[2] or b[3] then return {b[1], b[2] and 1 or 0, b[3] and 1 or 0} end
redis.call('HSET', bkey, 'paused_at', now_ms(), 'paused_by', word.by, 'paused_reason', word.reason)
if b[1] == 'running' then redis.call('HSET', bkey, 'state', 'paused') end     -- loading: its seal pauses it
index_lanes(batch)
return {b[1], 0, 0}
