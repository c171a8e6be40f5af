-- Moves the due time of a claim forward, at a step's start and while it runs; or gives the claim back.
--
-- ARGV  2 batch, 3 item, 4 version, 5 due in ms (0: give back, due at once)
-- Returns 1, or 0 when the claim is no longer this worker's: then the step must stop.

local batch, id = ARGV[2], ARGV[3]
local i = redis.call('HMGET', item_key(batch, id), 'state', 'v', 'attempt', 'deployment')
if i[2] ~= ARGV[4] then return 0 end
local due = string.format('%.0f', now_ms() + tonumber(ARGV[5]))
if OPEN[i[1]] then
  redis.call('ZADD', open_key(i[4]), 'XX', due, attempt_ref(batch, id, i[3]))
elseif i[1] == 'archiving' then
  redis.call('ZADD', P .. 'archive:due', 'XX', due, batch .. '/' .. id)
else
  return 0
end
return 1
