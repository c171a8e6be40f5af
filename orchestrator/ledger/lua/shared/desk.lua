-- A deployment as admission sees it: what keeps its next create back, apart from the items; loaded behind shared/quota.lua.

-- Whether no create may leave for a deployment right now: until when (NO_TIME: until a person says), and why. `d` is what
-- is read of it by the names in CLOSING. A time further off than any server's word or any refusal explains comes of a
-- clock that stepped back.
local CLOSING = {'cool_until', 'paused', 'paused_until', 'scope', 'cooled_at'}
local LONGEST_CLOSING = 600000
local function closed_until(dkey, qkey, d, now)
  local paused = paused_until(dkey, d[2], d[3], now)
  if paused then return paused, 'paused' end
  local ledger = whole_ledger()
  if ledger.guarded and d[4] and not is_trusted(d[4]) then return NO_TIME, 'recovering' end
  local archive = ledger.archive_closed_until
  if archive > now + LONGEST_CLOSING then
    archive = now + LONGEST_CLOSING
    ledger.archive_closed_until = archive
    redis.call('HSET', KEYS[1], 'archive_closed_until', string.format('%.0f', archive))
  end
  if archive > now then return archive, 'archive' end
  local cooling = rest_until(dkey, d[1], d[5], now)
  if qkey ~= dkey then
    local q = redis.call('HMGET', qkey, 'cool_until', 'cooled_at')
    cooling = math.max(cooling or 0, rest_until(qkey, q[1], q[2], now) or 0)
  end
  if cooling and cooling > now then return cooling, 'cooling' end
end

-- What is asked for, as it stands. `facts`: {name, model, scope, quota, interval_ms, burst, concurrent (a number, 'auto'
-- or ''), per_minute (a number or ''), price_per_s, margin, slack = {most ms, part of the interval}, window, weight, order,
-- members}. Desks of one quota have one meter; `members` are all deployments that draw on it, as the asking worker's
-- configuration has them: what another one with another configuration wrote must not hide what they use.
local OF_QUOTA = 6                    -- the first so many stand in the quota's hash, where that is another
local OF_DESK = {'tat', 'slots_cap', 'rate_cap', 'learned_slots', 'learned_per_minute', 'told_at', 'stopped', 'probation',
                 'window_until', 'took_pinned', 'quota', 'scope', unpack(CLOSING)}
local function open_desk(facts, meters, now)
  local dkey, qkey = P .. 'deployment:' .. facts.name, quota_key(facts.name, facts.quota)
  local d = redis.call('HMGET', dkey, unpack(OF_DESK))
  local desk = {facts = facts, name = facts.name, dkey = dkey, open = open_key(facts.name), stopped = d[7],
                probation = d[8], told_until = d[9], took_pinned = d[10], told_quota = d[11], told_scope = d[12]}
  if not meters[qkey] then
    local q = qkey == dkey and d or redis.call('HMGET', qkey, unpack(OF_DESK, 1, OF_QUOTA))
    local used, settles_at = slots_used(facts.members, now)
    local interval = interval_of_pace(facts.interval_ms, q[5], facts.margin)
    meters[qkey] = {
      key = qkey, used = used, settles_at = settles_at, tat = tonumber(q[1] or 0), burst = facts.burst,
      slots_cap = q[2], rate_cap = q[3], told_at = tonumber(q[6] or 0), cap = ceiling(facts.concurrent, q[4]),
      interval = interval, slack = math.min(facts.slack[1], facts.slack[2] * interval),
    }
  end
  desk.meter = meters[qkey]
  local closing = {unpack(d, #OF_DESK - #CLOSING + 1)}
  closing[4] = facts.scope
  desk.closed_until, desk.closed_by = closed_until(dkey, qkey, closing, now)
  desk.opens_at = 0
  if facts.window then desk.opens_at, desk.closes_at = interval_of(facts.window, now) end
  desk.tried = desk.probation and on_trial(dkey, desk.open)
  return desk
end

-- What is made could not be archived in time (`archive_shut`).
local function shut_for_archive(desk, at)
  if at and not desk.closed_until then desk.closed_until, desk.closed_by = at, 'archive' end
  return desk
end

-- What keeps the next create of a desk back, and until when; without a gate, the bucket once its token is taken.
local function gate_of(desk, now)
  local meter = desk.meter
  if desk.stopped then return 'stopped' end
  if not desk.opens_at or desk.opens_at > now then return 'window', desk.opens_at end
  if desk.closed_until then return desk.closed_by, desk.closed_until end
  if meter.used >= meter.cap then return 'slot', meter.settles_at end
  if desk.tried then return 'slot' end
  if meter.interval == 0 then return nil, nil, meter.tat end
  local tat, at, pulled = take_token(meter.tat, now, meter.interval, meter.burst, meter.slack)
  if not tat then
    if pulled then meter.tat, meter.moved = tonumber(pulled), true end
    return 'rate', at
  end
  return nil, nil, tonumber(tat)
end
