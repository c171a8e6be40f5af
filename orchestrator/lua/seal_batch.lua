-- Ends the loading of a batch: from now on admission sees it, unless it was paused meanwhile. A final batch that got new rows runs again;
-- one without is reported once more, since labels may have changed.
--
-- ARGV  2 batch, 3 … every lane that its rows may wait in
-- Returns the batch's state.

local batch = ARGV[2]
local bkey = batch_key(batch)
local state = redis.call('HGET', bkey, 'state')
if state == 'loading' then
  redis.call('HSET', bkey, 'state', redis.call('HEXISTS', bkey, 'paused_at') == 1 and 'paused' or 'running')
end
came_to_wait(now_ms())
reopen_batch(batch)
for a = 3, #ARGV do index_batch(batch, ARGV[a]) end
end_batch_when_settled(batch, now_ms())
return redis.call('HGET', bkey, 'state')
