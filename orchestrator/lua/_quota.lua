-- How much may be asked: of a deployment's own quota, or of one that several share, and what refusals taught of it;
-- loaded behind _ledger.lua.
--
-- A quota's hash is 'quota:NAME' of a shared one, else its deployment's own. It has
--   tat, sent_tat           the buckets of what is admitted, and of what leaves
--   slots_cap, rate_cap     the configured numbers under which the rest was learned ('auto', '' for none)
--   learned_slots           how many jobs at once were seen to be allowed; _base: by the last refusal
--   slots_ok, slots_hold    accepted creates with all slots in use, and after how many of them one more is tried
--   slots_growing           each of them adds a slot, until a refusal
--   slots_proven            the most that were ever running when a create was accepted
--   learned_per_minute      the pace that was seen to be allowed; rate_proven: the last one that held
--   rate_ok, rate_hold, rate_step   the same for a somewhat faster pace
--   slots_doubt, rate_doubt one refusal of what had been allowed before: a job may have ended a moment late, or a
--                           request been quicker than the one before. The second is believed
-- The list 'creates:…' has when the newest accepted creates were sent.

local AUTO_START = 2
local LEARNED_SLOTS = {'learned_slots', 'slots_base', 'slots_ok', 'slots_hold', 'slots_growing', 'slots_proven', 'slots_doubt'}
local LEARNED_RATE = {'learned_per_minute', 'rate_proven', 'rate_ok', 'rate_hold', 'rate_step', 'rate_doubt'}

local function quota_key(deployment, name)
  return name and name ~= '' and P .. 'quota:' .. name or P .. 'deployment:' .. deployment
end

-- The deployments that draw on a quota, and how many slots of it are in use.
local function sharers(deployment, name)
  return name and name ~= '' and redis.call('SMEMBERS', P .. 'members:' .. name) or {deployment}
end

local function slots_used(members)
  local used = 0
  for _, member in ipairs(members) do used = used + redis.call('ZCARD', open_key(member)) end
  return used
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
-- now >= tat - (burst - 1) * interval - slack. Returns the new tat, or nil and when to ask again.
-- A tat further ahead than an empty bucket can explain means that the clock stepped back: it is pulled in.
local function take_token(tat, now, interval, burst, slack)
  tat = math.min(tat or 0, now + burst * interval + slack)
  local earliest = tat - (burst - 1) * interval - slack
  if now < earliest then return nil, math.ceil(earliest) end
  return string.format('%.3f', math.max(now, tat) + interval)
end

-- What was learned under other numbers is forgotten.
local function configure(qkey, slots_cap, rate_cap)
  local q = redis.call('HMGET', qkey, 'slots_cap', 'rate_cap')
  if q[1] ~= slots_cap then
    redis.call('HDEL', qkey, unpack(LEARNED_SLOTS))
    redis.call('HSET', qkey, 'slots_cap', slots_cap)
    if slots_cap == 'auto' then redis.call('HSET', qkey, 'slots_growing', 1) end
  end
  if q[2] ~= rate_cap then
    redis.call('HDEL', qkey, unpack(LEARNED_RATE))
    redis.call('HSET', qkey, 'rate_cap', rate_cap)
  end
end

local function cool(key, till, reason)
  local before = tonumber(redis.call('HGET', key, 'cool_until') or 0)
  redis.call('HSET', key, 'cool_until', string.format('%.0f', math.max(before, till)), 'cool_reason', reason)
end

-- Pauses a deployment, longer each time until a create is accepted.
local function back_off(dkey, first_ms, most_ms, reason, now)
  local strikes = redis.call('HINCRBY', dkey, 'strikes', 1) - 1
  cool(dkey, now + math.min(first_ms * 2 ^ math.min(strikes, 10), most_ms), reason)
end
