-- Changes what a person may change of a batch, at once for every worker.
--
-- ARGV  2 batch, 3 {budget = micro-dollars, priority, weight}: what is left out stays
-- Returns the batch's state; nil when there is none of that name.

local batch, changes = ARGV[2], cjson.decode(ARGV[3])
local bkey = batch_key(batch)
if redis.call('EXISTS', bkey) == 0 then return nil end
for name, value in pairs(changes) do redis.call('HSET', bkey, name, value) end
if changes.priority then index_lanes(batch) end
return redis.call('HGET', bkey, 'state')
