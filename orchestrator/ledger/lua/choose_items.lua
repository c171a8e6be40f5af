-- Asks something of some of a batch's items; they are swept after it.
--
-- ARGV  2 batch, 3 request, as sweep.lua takes it, 4 ms until a worker sweeps, if whoever asked does not
-- Returns {state, 1}; {state, 0} while an earlier request is not done: that one comes first. nil when there is no such
-- batch.

local batch = ARGV[2]
local state = redis.call('HGET', batch_key(batch), 'state')
if not state then return nil end
if redis.call('ZSCORE', P .. 'sweeps', batch) then return {state, 0} end
ask_sweep(batch, cjson.decode(ARGV[3]), now_ms(), tonumber(ARGV[4]))
return {state, 1}
