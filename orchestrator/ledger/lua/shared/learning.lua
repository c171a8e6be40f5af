-- What a provider's answers to creates teach of a quota, beyond what is configured; loaded behind shared/quota.lua, which says
-- what is kept.

local HOLD, LONGEST_HOLD = 64, 1024   -- at most one refusal in so many creates is for trying more
local GUESS_HOLD = 16                 -- a pace that was halved without knowing better is tried higher sooner
local FIRST_WAIT, WAIT_STEP, LONGEST_WAIT = 600000, 4, 14400000   -- one slot more is tried after so long, too
local LEAST_STEP, STEP, LONGEST_STEP_UP = 0.02, 0.05, 0.5
local CREATES_KEPT = 64
local DOUBT_MS, LONGEST_DOUBT, BELIEVED = 2000, 30000, 5
local SETTLE_STEP, LONGEST_SETTLE = 1000, 10000
local RATE_COOL_MS, NONE_RUNS_MS, LONGEST_BACKOFF = 10000, 10000, 60000
local LESS = 0.9                      -- of a pace that did not hold
local AS_CONFIGURED = 0.97            -- a measured pace that is so near to the current one says nothing against it
local EXPLAINED = 0.4                 -- where fewer were sent than that part of the pace, it is not what was too many
local OUT, RUNNING = {creating = true, rendering = true}, {rendering = true}

-- How many creates of theirs are out or accepted, in these states.
local function count_open(members, states)
  local count = 0
  for _, member in ipairs(members) do
    for _, ref in ipairs(redis.call('ZRANGE', open_key(member), 0, -1)) do
      if states[redis.call('HGET', P .. 'item:' .. string.match(ref, '^(.+)#%d+$'), 'state')] then count = count + 1 end
    end
  end
  return count
end

-- What had been allowed before is refused. A slot may come free a while after its job's end: from now on it is waited
-- for. Or others have it for a moment: it is asked again, ever later. True when it is to be believed.
local function is_believed(dkey, qkey, verdict, now)
  local doubts = redis.call('HINCRBY', qkey, 'slots_doubt', 1)
  if doubts == 1 then
    local settle = tonumber(redis.call('HGET', dkey, 'settle_ms') or 0)
    redis.call('HSET', dkey, 'settle_ms', math.min(settle + SETTLE_STEP, LONGEST_SETTLE), 'settle_ok', 0)
  end
  if doubts >= BELIEVED then return true end
  cool(qkey, now + (verdict.retry_ms or math.min(DOUBT_MS * 2 ^ (doubts - 1), LONGEST_DOUBT)), verdict.reason, now)
  return false
end

-- Too many at once: no more than are out without the one that was refused.
local function heed_slots(deployment, qkey, members, verdict, now)
  local dkey = P .. 'deployment:' .. deployment
  local out = count_open(members, OUT)
  if count_open(members, RUNNING) == 0 then
    -- Others have all the slots; or nobody knows yet, since the answers to what is out are still to come.
    if out > 0 or verdict.retry_ms then cool(qkey, now + (verdict.retry_ms or DOUBT_MS), verdict.reason, now)
    else back_off(dkey, NONE_RUNS_MS, LONGEST_BACKOFF, verdict.reason, now) end
    return
  end
  local q = redis.call('HMGET', qkey, 'slots_cap', 'learned_slots', 'slots_base', 'slots_hold', 'slots_proven',
                       'slots_growing', 'slots_wait')
  if out + 1 <= tonumber(q[5] or 0) and not is_believed(dkey, qkey, verdict, now) then return end
  local allowed = math.max(1, math.min(out, ceiling(q[1], q[2])))
  local hold, wait = tonumber(q[4] or HOLD), tonumber(q[7] or FIRST_WAIT)
  if q[6] then
    local in_vain = allowed <= tonumber(q[3] or 0)
    hold = in_vain and math.min(2 * hold, LONGEST_HOLD) or HOLD
    wait = in_vain and math.min(WAIT_STEP * wait, LONGEST_WAIT) or FIRST_WAIT
  end
  -- What is still to be answered may be refused too: it raises what may be tried, but proves nothing.
  local proven = math.min(tonumber(q[5] or 0), allowed)
  redis.call('HSET', qkey, 'learned_slots', allowed, 'slots_base', allowed, 'slots_hold', hold, 'slots_ok', 0,
             'slots_at', now, 'slots_wait', wait, 'slots_proven', proven)
  redis.call('HDEL', qkey, 'slots_growing', 'slots_doubt')
  if verdict.retry_ms then cool(qkey, now + verdict.retry_ms, verdict.reason, now) end
end

-- The pace that the newest accepted creates show to be allowed, if the next one may follow at `next_at`: whatever the
-- window that the provider counts in, it lets the best of these spans pass. Creates a minute; nil without any.
local function measured_pace(creates, next_at)
  local best = nil
  for count, sent_at in ipairs(creates) do
    local span = next_at - tonumber(sent_at)
    if span > 0 then best = math.max(best or 0, 60000 * count / span) end
  end
  return best
end

-- At a slower pace, what is missing in the buckets takes longer: they must not fill by the change alone.
local function slow_down(qkey, slower, now)
  for _, bucket in ipairs({'tat', 'sent_tat'}) do
    local tat = tonumber(redis.call('HGET', qkey, bucket) or 0)
    if tat > now then redis.call('HSET', qkey, bucket, string.format('%.3f', now + (tat - now) * slower)) end
  end
end

-- Too many a minute: wait as told, then go on no faster than it was allowed. What was sent before the last lesson teaches
-- nothing new: it was out with the first.
local function heed_rate(qkey, name, verdict, now, sent_at)
  local q = redis.call('HMGET', qkey, 'cool_until', 'rate_cap', 'learned_per_minute', 'rate_proven', 'rate_hold', 'rate_doubt',
                       'cooled_at', 'rate_at')
  local next_at = now + (verdict.retry_ms or RATE_COOL_MS)
  local rests = rest_until(qkey, q[1], q[7], now)
  cool(qkey, next_at, verdict.reason, now)
  local taught_at = tonumber(q[8])
  if rests or sent_at and taught_at and sent_at <= taught_at and taught_at <= now then return end
  local measured = measured_pace(redis.call('LRANGE', P .. 'creates:' .. name, 0, -1), next_at)
  if not measured then return end
  local learned, proven, hold = tonumber(q[3]), tonumber(q[4]), tonumber(q[5] or HOLD)
  local current = learned or tonumber(q[2]) or math.huge
  local allowed, step = measured, STEP
  if proven and proven < current then
    -- What is tried in vain is tried again by less, and ever later: the share of creates that are refused falls with time.
    allowed, hold = proven, math.min(math.max(2 * hold, HOLD), LONGEST_HOLD)
    step = math.max(LEAST_STEP, math.min(STEP, (current / proven - 1) / 2))
  else
    -- Too fast by a little, by chance, where it had held so far; or slower than allowed, and yet too many: others ask there
    -- too.
    local held, near, few = proven or not learned, measured >= AS_CONFIGURED * current, measured < EXPLAINED * current
    if (few or near and held) and not q[6] then
      redis.call('HSET', qkey, 'rate_doubt', 1, 'rate_ok', 0, 'rate_at', now)
      return
    end
    -- Others that are refused with us make room for what is measured: what was learned so was too much.
    if near or not held then allowed = math.min(measured, LESS * current) end
    if held then hold = HOLD end
    if few then allowed, hold = current / 2, GUESS_HOLD end
    proven = nil
  end
  if current < math.huge then slow_down(qkey, current / allowed, now) end
  redis.call('HSET', qkey, 'learned_per_minute', string.format('%.4f', allowed), 'rate_ok', 0, 'rate_hold', hold,
             'rate_step', string.format('%.4f', step), 'rate_at', now)
  redis.call('HDEL', qkey, 'rate_doubt')
  if not proven then redis.call('HDEL', qkey, 'rate_proven') end
end

local function heed(deployment, verdict, now, sent_at)
  local name = redis.call('HGET', P .. 'deployment:' .. deployment, 'quota') or ''
  local qkey = quota_key(deployment, name)
  if verdict.refused == 'slots' then return heed_slots(deployment, qkey, sharers(deployment, name), verdict, now) end
  heed_rate(qkey, name ~= '' and 'quota:' .. name or deployment, verdict, now, sent_at)
end

-- After enough accepted creates, a slot is waited for less long.
local function settle_less(dkey)
  local d = redis.call('HMGET', dkey, 'settle_ms', 'settle_ok')
  if not d[1] then return end
  local ok, less = tonumber(d[2] or 0) + 1, tonumber(d[1]) - SETTLE_STEP
  if ok < HOLD then return redis.call('HSET', dkey, 'settle_ok', ok) end
  if less > 0 then redis.call('HSET', dkey, 'settle_ms', less, 'settle_ok', 0)
  else redis.call('HDEL', dkey, 'settle_ms', 'settle_ok') end
end

-- A create was accepted: after enough of them at the limit that was learned, a little more is tried.
local function heed_accepted(deployment, sent_at, now)
  local dkey = P .. 'deployment:' .. deployment
  local name = redis.call('HGET', dkey, 'quota') or ''
  local qkey, creates = quota_key(deployment, name), P .. 'creates:' .. (name ~= '' and 'quota:' .. name or deployment)
  redis.call('LPUSH', creates, sent_at)
  redis.call('LTRIM', creates, 0, CREATES_KEPT - 1)
  local q = redis.call('HMGET', qkey, 'slots_cap', 'learned_slots', 'slots_growing', 'slots_ok', 'slots_hold',
                       'slots_proven', 'rate_cap', 'learned_per_minute', 'rate_ok', 'rate_hold', 'rate_step',
                       'rate_doubt', 'slots_at', 'slots_wait', 'rate_proven')
  settle_less(dkey)
  if q[1] and q[1] ~= '' then
    local members = sharers(deployment, name)
    local used, most = slots_used(members, now), ceiling(q[1], q[2])
    redis.call('HDEL', qkey, 'slots_doubt')
    local proven = tonumber(q[6] or 0)
    local running = used > proven and count_open(members, {rendering = true}) or used
    if running > proven then redis.call('HSET', qkey, 'slots_proven', running) end
    if (q[1] == 'auto' or q[2]) and used >= most and most < (tonumber(q[1]) or math.huge) then
      local ok = tonumber(q[4] or 0) + 1
      local waited = q[13] and math.abs(now - tonumber(q[13])) >= tonumber(q[14] or FIRST_WAIT)
      local more = q[3] and running >= most or not q[3] and (ok >= tonumber(q[5] or HOLD) or waited)
      redis.call('HSET', qkey, 'slots_ok', more and 0 or ok)
      if more then redis.call('HSET', qkey, 'learned_slots', most + 1, 'slots_growing', 1, 'slots_at', now) end
    end
  end
  if not q[8] and not q[12] then return end
  local ok = tonumber(q[9] or 0) + 1
  if ok < tonumber(q[10] or HOLD) then return redis.call('HSET', qkey, 'rate_ok', ok) end
  redis.call('HDEL', qkey, 'rate_doubt')
  redis.call('HSET', qkey, 'rate_ok', 0)
  local now_allowed, cap = tonumber(q[8]), tonumber(q[7]) or math.huge
  if not now_allowed or now_allowed >= cap then return end
  local step, hold = tonumber(q[11] or STEP), tonumber(q[10] or HOLD)
  if q[15] and tonumber(q[15]) < now_allowed then hold = math.min(hold, HOLD) end    -- what was tried has held
  redis.call('HSET', qkey, 'rate_proven', q[8], 'rate_step', math.min(2 * step, LONGEST_STEP_UP), 'rate_hold', hold,
             'learned_per_minute', string.format('%.4f', math.min(now_allowed * (1 + step), cap)))
end

-- Closes a deployment's admission for a while, or until somebody or a probe opens it again: then in how many ms it is
-- probed, unless it was stopped before. Or heeds the refusal of one create too many, and when that was sent.
local function judge(deployment, verdict, now, sent_at)
  if not verdict or not deployment then return end
  local dkey = P .. 'deployment:' .. deployment
  if verdict.stop then return trip(dkey, verdict.stop, verdict.message or '', now) end
  if verdict.refused then return heed(deployment, verdict, now, sent_at) end
  if verdict.backoff then return back_off(dkey, verdict.cool_ms, verdict.backoff, verdict.reason, now) end
  if not verdict.cool_ms then return end
  -- A quota that is used up is used up for all who draw on it.
  local whose = verdict.whole_quota and quota_key(deployment, redis.call('HGET', dkey, 'quota')) or dkey
  cool(whose, now + verdict.cool_ms, verdict.reason, now)
end
