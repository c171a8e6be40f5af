-- Ends the loading of a batch: from now on admission sees it, unless it was paused meanwhile. A final batch that got new rows runs again;
-- one without is reported once more, since labels may have changed, but did not end anew: nobody is told so.
--
-- ARGV  2 batch, 3 … every lane that its rows may wait in
-- Returns the batch's state.

local batch = ARGV[2]
local bkey = batch_key(batch)
local state, ended_at = redis.call('HGET', bkey, 'state'), redis.call('HGET', bkey, 'final_at')
if state == 'loading' then
  redis.call('HSET', bkey, 'state', redis.call('HEXISTS', bkey, 'paused_at') == 1 and 'paused' or 'running')
end
came_to_wait(now_ms())
reopen_batch(batch)
for a = 3, #ARGV do index_batch(batch, ARGV[a]) end
end_batch_when_settled(batch, now_ms())
local sealed = redis.call('HGET', bkey, 'state')
if state == 'final' and sealed == 'final' and ended_at then redis.call('HSET', bkey, 'final_at', ended_at) end
return sealed
