-- Probing a stopped deployment: who does it, and what came of it. `claim.lua` hands out probes that are due.
--
-- ARGV  2 deployment, 3 what, 4 number of the claim, 5 allowance in ms, or what a failed probe was told
--   claim   take the probe now, due or not; 4 is 1 to take it only from somebody who died at it
--   renew   keep it for the allowance from now on; 0: give it back
--   passed  the list call was answered; 5 is 1 when that proves nothing, so that one item is tried first
--   failed  it was not
-- Returns {number, reason, detail}. number: 0 when it is not stopped, or somebody else is at it; reason, of a verdict:
-- why it was stopped; detail: of a claim in how many ms to ask again, or -1; of passed 1 when one item is tried first;
-- of failed the ms until the next probe.

local dkey, what, number, now = P .. 'deployment:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]), now_ms()
local d = redis.call('HMGET', dkey, 'stopped', 'probing', 'probe_v', 'probes')
if what == 'claim' then
  if number == 1 and not d[2] then return {0, '', -1} end
  local claimed, at = claim_probe(dkey, now, tonumber(ARGV[5]), true)
  return {claimed or 0, '', at and at - now or -1}
end
if not d[1] or not d[2] or tonumber(d[3]) ~= number then return {0, '', -1} end
if what == 'renew' then
  redis.call('HSET', dkey, 'probe_at', string.format('%.0f', now + tonumber(ARGV[5])))
  return {number, '', -1}
end
redis.call('HSET', dkey, 'probed_at', now)
if what == 'passed' then
  if ARGV[5] == '1' then redis.call('HSET', dkey, 'doubted', 1) end
  return {number, d[1], reopen(dkey) and 1 or 0}
end
redis.call('HSET', dkey, 'probe_error', ARGV[5])
return {number, d[1], probe_after(dkey, tonumber(d[4] or 0) + 1, now)}
