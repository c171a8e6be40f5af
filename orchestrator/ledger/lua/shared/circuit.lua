-- How creates at a deployment stop and begin again: the circuit, and a person's pause. Loaded in front of shared/ledger.lua,
-- of which it needs nothing. Polls and archiving know nothing of it.
--
-- A stopped deployment is probed after a pause. `probes` counts the probes that failed since its last accepted create,
-- and each doubles the pause; a create that is refused after a probe had passed is one of them, so that a key which may
-- list but not create is not asked each minute. In `probation` one item is tried at a time (`trial`, its attempt), until
-- a create is accepted.

-- A key that is rotated, or a deployment that Azure does not know for its first five minutes, is mended within minutes;
-- what takes a person until morning is asked once an hour, so that the rest of a night is not lost.
local FIRST_PROBE, LONGEST_PROBE = 60000, 3600000
local PAUSE = {'paused', 'paused_at', 'paused_until', 'paused_reason', 'paused_by'}
local NO_TIME = 9007199254740991      -- later than any instant: only a person ends it
-- A list call proves endpoint and key. That a deployment or its model is gone shows on a create alone.
local SHOWS_ON_CREATE = {deployment_missing = true, model_retired = true}

-- Until when a person's pause lasts; nil without one. One that has run out is gone.
local function paused_until(dkey, paused, till, now)
  if not paused then return end
  till = tonumber(till) or NO_TIME
  if till > now then return till end
  redis.call('HDEL', dkey, unpack(PAUSE))
end

local function probe_after(dkey, failed, now)
  local pause = math.min(FIRST_PROBE * 2 ^ math.min(failed, 10), LONGEST_PROBE)
  redis.call('HSET', dkey, 'probes', failed, 'probe_at', string.format('%.0f', now + pause))
  redis.call('HDEL', dkey, 'probing')
  return pause
end

-- Stops a deployment; in how many ms it is probed. One that is stopped already stays as it is: creates that were out
-- with the one that stopped it are refused too.
local function trip(dkey, reason, message, now)
  if redis.call('HEXISTS', dkey, 'stopped') == 1 then return end
  local probes = redis.call('HGET', dkey, 'probes')
  redis.call('HSET', dkey, 'stopped', reason, 'stopped_at', now, 'message', message)
  redis.call('HDEL', dkey, 'probation', 'trial', 'probe_error')
  -- It was opened again, and no create was accepted: whatever opened it has proved nothing.
  if probes then redis.call('HSET', dkey, 'doubted', 1) end
  return probe_after(dkey, probes and tonumber(probes) + 1 or 0, now)
end

-- Opens a stopped deployment again; true when one item is tried first, or is still.
local function reopen(dkey)
  local d = redis.call('HMGET', dkey, 'stopped', 'doubted', 'probation')
  redis.call('HDEL', dkey, 'stopped', 'stopped_at', 'message', 'probe_at', 'probing', 'probe_error')
  if not d[1] then return d[3] and true or false end
  if not (SHOWS_ON_CREATE[d[1]] or d[2]) then return false end
  redis.call('HSET', dkey, 'probation', 1)
  return true
end

-- A create was accepted: all is forgotten that spoke against the deployment. What was sent before it stopped, or is
-- found in a listing long after it was sent, proves nothing of now.
local function prove(dkey, how, attempt)
  if redis.call('HEXISTS', dkey, 'stopped') == 1 then return end
  if how ~= 'answer' and redis.call('HGET', dkey, 'trial') ~= attempt then return end
  redis.call('HDEL', dkey, 'probes', 'doubted', 'probation', 'trial')
end

local function on_trial(dkey, open)
  local trial = redis.call('HGET', dkey, 'trial')
  return trial and redis.call('ZSCORE', open, trial)
end

-- Claims the probe of a stopped deployment for so long: its number, which fences the verdict; nil, and when to ask
-- again, while it is not due or somebody else is at it. `at_once`: whether or not it is due. A paused deployment is left
-- alone. Times further off than any pause explains come of a clock that stepped back.
local function claim_probe(dkey, now, allowance, at_once)
  local d = redis.call('HMGET', dkey, 'stopped', 'probe_at', 'probing', 'paused', 'paused_until')
  if not d[1] or paused_until(dkey, d[4], d[5], now) then return end
  local at = tonumber(d[2] or 0)
  if at > now and at <= now + LONGEST_PROBE + allowance and (d[3] or not at_once) then return nil, at end
  redis.call('HSET', dkey, 'probe_at', string.format('%.0f', now + allowance), 'probing', 1)
  return redis.call('HINCRBY', dkey, 'probe_v', 1)
end
