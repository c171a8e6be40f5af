-- How much may be asked: of a deployment's own quota, or of one that several share, and what refusals taught of it;
-- loaded behind shared/ledger.lua.
--
-- A quota's hash is 'quota:NAME' of a shared one, else its deployment's own. It has
--   tat, sent_tat           the buckets of what is admitted, and of what leaves
--   slots_cap, rate_cap     the configured numbers under which the rest was learned ('auto', '' for none)
--   learned_slots           how many jobs at once were seen to be allowed; _base: by the last refusal
--   slots_ok, slots_hold    accepted creates with all slots in use, and after how many of them one more is tried;
--   slots_at, slots_wait    or so long after that instant
--   slots_growing           each of them adds a slot, until a refusal
--   slots_proven            the most that were ever running when a create was accepted
--   learned_per_minute      the pace that was seen to be allowed; rate_proven: the last one that held
--   rate_ok, rate_hold, rate_step   the same for a somewhat faster pace
--   slots_doubt             refusals in a row of what had been allowed before: a slot may be given back late, or
--                           somebody else have it for a moment. The fifth, after a minute, is believed
--   rate_doubt              a refusal that the pace does not explain; the second is believed
--   rate_at                 when a refusal taught something, or was doubted
--   told_at                 when a worker last told the configured numbers
-- A deployment's own hash has settle_ms besides: how long after a job's end its slot is still in use there.
-- The list 'creates:…' has when the newest accepted creates were sent.

local AUTO_START = 2
local LEARNED_SLOTS = {'learned_slots', 'slots_base', 'slots_ok', 'slots_hold', 'slots_at', 'slots_wait', 'slots_growing',
                       'slots_proven', 'slots_doubt'}
local LEARNED_RATE = {'learned_per_minute', 'rate_proven', 'rate_ok', 'rate_hold', 'rate_step', 'rate_doubt', 'rate_at'}

local function quota_key(deployment, name)
  return name and name ~= '' and P .. 'quota:' .. name or P .. 'deployment:' .. deployment
end

-- The deployments that draw on a quota, as workers told of them.
local function sharers(deployment, name)
  return name and name ~= '' and redis.call('SMEMBERS', P .. 'members:' .. name) or {deployment}
end

-- How many slots they use, and when the next of those comes free that a provider holds a little longer.
local function slots_used(members, now)
  local used, settles_at = 0, nil
  for _, member in ipairs(members) do
    used = used + redis.call('ZCARD', open_key(member))
    local late = redis.call('ZCOUNT', settling_key(member), '(' .. now, '+inf')
    if late > 0 then
      used = used + late
      local first = redis.call('ZRANGEBYSCORE', settling_key(member), '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
      settles_at = math.min(settles_at or math.huge, tonumber(first[2]))
    end
  end
  return used, settles_at
end

local function ceiling(cap, learned)
  if cap == 'auto' then return tonumber(learned) or AUTO_START end
  return math.min(tonumber(cap) or math.huge, tonumber(learned) or math.huge)
end

-- The milliseconds between two creates: as configured, or longer as learned.
local function interval_of_pace(configured_ms, learned, margin)
  return math.max(configured_ms, learned and 60000 / tonumber(learned) * margin or 0)
end

-- The token bucket as one number, the theoretical arrival time (GCRA): a token is there when
-- now >= tat - (burst - 1) * interval - slack. Returns the new tat; or nil, when to ask again, and the tat as it is to be
-- kept. One further ahead than an empty bucket can explain means that the clock stepped back: it is pulled in, for good,
-- since what is reckoned from each new now would wait as long as the clock needs to catch up.
local function take_token(tat, now, interval, burst, slack)
  local most = now + burst * interval + slack
  local pulled = (tat or 0) > most and string.format('%.3f', most) or nil
  tat = math.min(tat or 0, most)
  local earliest = tat - (burst - 1) * interval - slack
  if now < earliest then return nil, math.ceil(earliest), pulled end
  return string.format('%.3f', math.max(now, tat) + interval)
end

-- What was learned under other numbers is forgotten, once nobody tells them any more: while workers are renewed, some
-- have the old configuration still. True when that has just happened: what was read of the quota is old then.
local TOLD_EVERY_MS, OUTDATED_MS = 60000, 600000
local function configure(qkey, q, slots_cap, rate_cap, now)
  if q.slots_cap == slots_cap and q.rate_cap == rate_cap then
    if math.abs(now - q.told_at) > TOLD_EVERY_MS then redis.call('HSET', qkey, 'told_at', now) end
    return
  end
  if q.slots_cap and math.abs(now - q.told_at) < OUTDATED_MS then return end
  if q.slots_cap ~= slots_cap then
    redis.call('HDEL', qkey, unpack(LEARNED_SLOTS))
    if slots_cap == 'auto' then redis.call('HSET', qkey, 'slots_growing', 1) end
  end
  if q.rate_cap ~= rate_cap then redis.call('HDEL', qkey, unpack(LEARNED_RATE)) end
  redis.call('HSET', qkey, 'slots_cap', slots_cap, 'rate_cap', rate_cap, 'told_at', now)
  return true
end

-- How long a rest still lasts, that was begun at an instant; nil when it is over. Begun after now: the clock stepped back,
-- and it is as long from now on.
local LONGEST_COOLING = 86400000
local function rest_until(key, till, since, now)
  till, since = tonumber(till or 0), tonumber(since or now)
  if till <= now then return end
  local kept = math.min(till, till - math.max(since - now, 0), now + LONGEST_COOLING)
  if kept < till then redis.call('HSET', key, 'cool_until', string.format('%.0f', kept), 'cooled_at', now) end
  return kept
end

local function cool(key, till, reason, now)
  local q = redis.call('HMGET', key, 'cool_until', 'cooled_at')
  local before = rest_until(key, q[1], q[2], now) or 0
  redis.call('HSET', key, 'cool_until', string.format('%.0f', math.max(before, till)), 'cooled_at', now,
             'cool_reason', reason)
end

-- Pauses a deployment, longer each time until a create is accepted.
local function back_off(dkey, first_ms, most_ms, reason, now)
  local strikes = redis.call('HINCRBY', dkey, 'strikes', 1) - 1
  cool(dkey, now + math.min(first_ms * 2 ^ math.min(strikes, 10), most_ms), reason, now)
end
