-- Cancels a batch: no create of it starts any more, at once for every worker. One write; its items are swept after it.
--
-- ARGV  2 batch, 3 {by, reason, cancel = 'keep' or 'discard': a video that is made all the same},
--       4 ms until a worker sweeps, if whoever asked does not
-- Returns the state before; with final nothing was written. nil when there is no such batch.

local batch, word = ARGV[2], cjson.decode(ARGV[3])
local bkey, now = batch_key(batch), now_ms()
local b = redis.call('HMGET', bkey, 'state', 'cancel')
if not b[1] or b[1] == 'final' then return b[1] or nil end
if b[2] ~= word.cancel then
  redis.call('HSET', bkey, 'cancel', word.cancel, 'cancelled_at', now, 'cancelled_by', word.by,
             'cancelled_reason', word.reason)
end
-- What is cancelled needs no pause, and rows that are submitted later are not paused by it.
redis.call('HDEL', bkey, 'paused_at', 'paused_by', 'paused_reason')
if b[1] == 'paused' then redis.call('HSET', bkey, 'state', 'running') end
index_lanes(batch)
ask_sweep(batch, {action = 'cancel', whole = true, by = word.by, reason = word.reason, cancel = word.cancel},
          now, tonumber(ARGV[4]))
return b[1]
