-- Moves the due time of a claim forward, at a step's start and while it runs; or gives the claim back.
--
-- ARGV  2 batch, 3 item ('' for the batch's report), 4 version, 5 due in ms (0: give back, due at once)
-- Returns 1, or 0 when the claim is no longer this worker's: then the step must stop.

local batch, id = ARGV[2], ARGV[3]
local due = string.format('%.0f', now_ms() + tonumber(ARGV[5]))

local function postpone(set, ref)
  if not redis.call('ZSCORE', set, ref) then return 0 end
  redis.call('ZADD', set, due, ref)
  return 1
end

if id == '' then
  if redis.call('HGET', batch_key(batch), 'report_v') ~= ARGV[4] then return 0 end
  return postpone(P .. 'reports', batch)
end
local i = redis.call('HMGET', item_key(batch, id), 'state', 'v', 'attempt', 'deployment')
if i[2] ~= ARGV[4] then return 0 end
if OPEN[i[1]] then return postpone(open_key(i[4]), attempt_ref(batch, id, i[3])) end
if i[1] == 'archiving' then return postpone(P .. 'archive:due', batch .. '/' .. id) end
return 0
