-- Looking through a scope's list after the ledger may have lost writes: who does it, and what came of it. `claim.lua`
-- hands out those that are due.
--
-- ARGV  2 scope, 3 what, 4 number of the claim, 5 detail
--   claim     take it now, due or not, for 5 ms; a scope that is trusted is doubted again, as a whole
--   renew     keep it for 5 ms; 0: give it back
--   later     nothing is wrong, and it is to be looked at again in 5 ms
--   failed    nothing could be told: 5 is {error, person, again_ms}
--   trust     it was looked through: 5 is {scanned_at, strays, strays_since}; refused while rows came in since then
--   by_hand   a person says that it need not be; no claim is needed
-- Returns the number; 0 when it is somebody else's by now, -1 when rows came in meanwhile, so that they are compared too.

local scope, what, number, now = ARGV[2], ARGV[3], tonumber(ARGV[4]), now_ms()
local key = recovery_key(scope)
local function due_in(ms)
  local at = string.format('%.0f', now + tonumber(ms))
  redis.call('ZADD', P .. 'recover', at, scope)
  return at
end

if what == 'claim' then
  notice(scope, now)
  redis.call('HDEL', key, 'trusted', 'since')    -- whoever asks wants the whole list looked through
  return claim_recovery(scope, now, tonumber(ARGV[5]))
elseif what == 'by_hand' then
  trust_by_hand(scope)
  return 1
end
local r = redis.call('HMGET', key, 'number', 'noticed_run')
if tonumber(r[1]) ~= number or r[2] ~= run_id() then return 0 end
if what == 'renew' then
  due_in(ARGV[5])
elseif what == 'later' then
  redis.call('HDEL', key, 'error', 'person')
  redis.call('HSET', key, 'next_at', due_in(ARGV[5]))
elseif what == 'failed' then
  local detail = cjson.decode(ARGV[5])
  redis.call('HSET', key, 'error', detail.error)
  if detail.person then redis.call('HSET', key, 'person', 1) else redis.call('HDEL', key, 'person') end
  redis.call('HSET', key, 'next_at', due_in(detail.again_ms))
elseif what == 'trust' then
  local detail = cjson.decode(ARGV[5])
  if tonumber(redis.call('HGET', KEYS[1], 'sealed_at') or 0) >= detail.scanned_at then return -1 end
  trust(scope)
  note_strays(scope, detail.strays, detail.strays_since)
end
return number
