-- Opens or closes a deployment outside of an item's transition (a probe's verdict, a person's word).
--
-- ARGV  2 deployment, 3 verdict: {stop, message} | {cool_ms, reason} | {resume = true, probation = bool}
-- Returns 1.

local verdict = cjson.decode(ARGV[3])
local key = P .. 'deployment:' .. ARGV[2]
if verdict.resume then
  redis.call('HDEL', key, 'stopped', 'stopped_at', 'message', 'cool_until', 'cool_reason', 'strikes')
  if verdict.probation then redis.call('HSET', key, 'probation', 1) end
else
  judge(ARGV[2], verdict, now_ms())
end
return 1
