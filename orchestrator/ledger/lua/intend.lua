-- Writes the intent to create, right before the POST may leave, or says why it must not.
--
-- ARGV  2 batch, 3 item, 4 version, 5 {interval_ms, burst, slack_ms, margin, due_in_ms, attempt = {…}}
-- Returns {'intended', version}; {'deferred', version, due again in ms} when it would follow the last create too closely
-- (many may have been admitted before a slow step), or one that could not be told from it; {'returned', version} when the
-- batch was paused, the deployment stopped or cooled, the archive closed or behind, a window ended, or Redis begun anew;
-- {'cancelled', version} when a person took it back; {'stale', version} when somebody else has it.

local batch, id = ARGV[2], ARGV[3]
local request = cjson.decode(ARGV[5])
local key = item_key(batch, id)
local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'deployment', 'paused')
local from = i[1]
-- A reply that was lost makes the client ask again: the same intent is answered alike. It is written again, since WAIT
-- speaks of the writes of its own connection, and this may be a new one (`replicated` in orchestrator/redis/durability.py).
if from == 'creating' and tonumber(i[2]) == tonumber(ARGV[4]) + 1
    and redis.call('HGET', attempt_key(batch, id, i[3]), 'token') == request.attempt.token then
  redis.call('HSET', attempt_key(batch, id, i[3]), 'token', request.attempt.token)
  return {'intended', tonumber(i[2])}
end
if i[2] ~= ARGV[4] or not from or not TABLE.intended[from] then return {'stale', tonumber(i[2] or 0)} end

local now, n, dkey = now_ms(), i[3], P .. 'deployment:' .. i[4]
local d = redis.call('HMGET', dkey, 'stopped', 'window_until', 'quota', unpack(CLOSING))
local b = redis.call('HMGET', batch_key(batch), 'state', 'window')
local qkey = quota_key(i[4], d[3])
-- Where nobody creates without archiving, nobody waits for one that archives (`expiry.lua`).
local unarchived = archive_shut(not creator_alive(now), now)
local shut = (d[2] and now >= tonumber(d[2])) or (b[2] and now < (batch_opens_at(batch, now) or math.huge))
local closed = d[1] or closed_until(dkey, qkey, {unpack(d, 4)}, now) or unarchived or shut or b[1] ~= 'running' or i[5]
local cancelled = cancel_of(batch, id)
if cancelled or closed then
  settle(batch, id, n, 'none')
  if cancelled then return {'cancelled', call_off(batch, id, from, 'cancelled', now)} end
  return {'returned', move(batch, id, from, TABLE.returned[from], now)}
end
-- Where jobs are listed without their prompts, only size, seconds and time tell whose one is: creates that have the first
-- two in common follow one another. Once the answer of the other is known, or nobody waits for it any more.
local MOST_ASKED, SOON_MS, LATEST_MS = 1000, 250, 5000
local scope = redis.call('HGET', attempt_key(batch, id, n), 'scope') or ''
local function alike_in_hand()
  for _, ref in ipairs(redis.call('ZREVRANGE', asked_key(scope), 0, MOST_ASKED - 1)) do
    local obatch, oid, on = string.match(ref, '^([^/]+)/(.+)#(%d+)$')
    local o = redis.call('HMGET', item_key(obatch, oid), 'state', 'attempt')
    if o[1] == 'creating' and o[2] == on and ref ~= attempt_ref(batch, id, n)
        and redis.call('HGET', attempt_key(obatch, oid, on), 'shape') == request.attempt.shape then
      return redis.call('ZSCORE', asked_key(scope), ref)
    end
  end
end
local hides = redis.call('HMGET', P .. 'listing:' .. scope, 'lists_hide', 'answers_hide')
local told = hides[1] and hides[1] ~= '' and hides[1] or hides[2]      -- '': it was empty so far
local since = told == '1' and alike_in_hand()
if since then
  local wait = math.floor(math.max(SOON_MS, math.min((now - tonumber(since)) / 2, LATEST_MS)))
  redis.call('ZADD', open_key(i[4]), string.format('%.0f', now + wait), attempt_ref(batch, id, n))
  return {'deferred', move(batch, id, from, TABLE.deferred[from], now), wait}
end
local q = redis.call('HMGET', qkey, 'sent_tat', 'learned_per_minute')
local interval = interval_of_pace(request.interval_ms, q[2], request.margin)
if interval > 0 then
  local tat, at, pulled = take_token(tonumber(q[1] or 0), now, interval, request.burst, request.slack_ms)
  if not tat then
    if pulled then redis.call('HSET', qkey, 'sent_tat', pulled) end
    redis.call('ZADD', open_key(i[4]), string.format('%.0f', at), attempt_ref(batch, id, n))
    return {'deferred', move(batch, id, from, TABLE.deferred[from], now), at - now}
  end
  redis.call('HSET', qkey, 'sent_tat', tat)
end
set_fields(attempt_key(batch, id, n), request.attempt)
redis.call('HSET', attempt_key(batch, id, n), 'intent_at', now)
redis.call('ZADD', asked_key(scope), now, attempt_ref(batch, id, n))
redis.call('ZREMRANGEBYSCORE', asked_key(scope), '-inf', now - UNHURRIED_MS)
settle(batch, id, n, 'unknown')
redis.call('ZADD', open_key(i[4]), string.format('%.0f', now + request.due_in_ms), attempt_ref(batch, id, n))
return {'intended', move(batch, id, from, TABLE.intended[from], now)}
