-- A job of an item's prompt is listed that nobody here knows: a ledger that is lost may have sent it. From now on the item
-- is one whose create is out, so that nothing more is sent for it before it is clear whose the job is.
--
-- ARGV  2 batch, 3 item, 4 version, 5 {deployment, price_per_s, attempt = {scope, intent_at, …}}
-- Returns {version, attempt}; {0, 0} when it does not wait any more, or was changed since.

local batch, id, request, now = ARGV[2], ARGV[3], cjson.decode(ARGV[5]), now_ms()
local key = item_key(batch, id)
local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'made', 'seconds', 'price', 'fingerprint')
local state = i[1]
if i[2] ~= ARGV[4] or cancel_of(batch, id) then return {0, 0} end
if state == 'admitted' then
  settle(batch, id, i[3], 'none')
  move(batch, id, state, TABLE.returned[state], now)
  state = 'waiting'
end
local to = TABLE.presumed[state]
if not to then return {0, 0} end
local n = tonumber(i[4]) + 1
local akey = attempt_key(batch, id, n)
set_fields(akey, request.attempt)
redis.call('HSET', akey, 'deployment', request.deployment, 'money', 'none', 'budgets', '', 'fingerprint', i[7],
           'price', price_of(i[5], i[6], request.price_per_s) or '', 'admitted_at', now, 'outcome', 'unknown')
redis.call('HDEL', key, 'reason', 'message', 'remote_id')    -- those of an attempt before
settle(batch, id, n, 'unknown')
local version = move(batch, id, state, to, now, 'attempt', n, 'made', n, 'deployment', request.deployment)
redis.call('ZADD', asked_key(request.attempt.scope), request.attempt.intent_at, attempt_ref(batch, id, n))
redis.call('ZADD', open_key(request.deployment), string.format('%.0f', now), attempt_ref(batch, id, n))
return {version, n}
