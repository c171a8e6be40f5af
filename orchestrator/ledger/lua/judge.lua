-- Opens or closes a deployment outside of an item's transition: what a person says.
--
-- ARGV  2 deployment, 3 verdict: {stop, message} | {cool_ms, reason, whole_quota = true where all rest that share its
--       quota} | {pause = true, until_ms or for_ms or neither, reason, by} | {resume = true, probation = bool or absent: as the reason of the stop asks for,
--       forget_learned = bool}
-- Returns {1 when one item is tried first, the instant in ms until which it is paused or -1, in how many ms one that
-- this stopped is probed or -1}.

local verdict, now = cjson.decode(ARGV[3]), now_ms()
local key = P .. 'deployment:' .. ARGV[2]
local quota = redis.call('HGET', key, 'quota')
if verdict.resume then
  local careful = reopen(key)
  redis.call('HDEL', key, 'cool_until', 'cool_reason', 'strikes', unpack(PAUSE))
  local qkey = quota and quota ~= '' and P .. 'quota:' .. quota or key
  redis.call('HDEL', qkey, 'cool_until', 'cool_reason')
  -- Without the caps under which it was learned, the next admission begins anew.
  if verdict.forget_learned then
    redis.call('HDEL', qkey, 'slots_cap', 'rate_cap', 'learned_slots', 'learned_per_minute')
    redis.call('HDEL', key, 'settle_ms', 'settle_ok')
  end
  -- Where Redis began anew and the list could tell nothing, a person's word stands for it.
  local scope = redis.call('HGET', key, 'scope')
  if scope and redis.call('HEXISTS', recovery_key(scope), 'error') == 1 then
    trust_by_hand(scope)
  end
  if verdict.probation ~= nil then
    careful = verdict.probation
    redis.call('HDEL', key, 'probation')
    if careful then redis.call('HSET', key, 'probation', 1) end
  end
  return {careful and 1 or 0, -1, -1}
end
if not verdict.pause then
  local probed_in = judge(ARGV[2], verdict, now)
  return {0, -1, probed_in or -1}
end
local till = verdict.until_ms or verdict.for_ms and now + verdict.for_ms
redis.call('HDEL', key, unpack(PAUSE))
redis.call('HSET', key, 'paused', 1, 'paused_at', now, 'paused_reason', verdict.reason or '',
           'paused_by', verdict.by or '')
if till then redis.call('HSET', key, 'paused_until', string.format('%.0f', till)) end
return {0, till or -1, -1}
