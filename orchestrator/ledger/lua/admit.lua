-- Decisions, up to so many: each a token of a deployment's bucket, a slot, the batch's money and the next item.
--
-- ARGV  2 how many at most, 3 when each is due again in ms, 4 {deployments = [facts, …] (`open_desk` in shared/desk.lua),
--          batches = [names] or false, guarded = true where the worker looks through lists after a loss, budgets = [{name, limit, periods = [[id, from, until], …]}, …]}
-- Returns {{deployment, gate, ask again in ms or -1}, …}, {{deployment, batch, item, version, attempt}, …}: what was
-- admitted, in order. gate says what stopped the deployment's next one: none, empty, rate, slot, budget, cooling,
-- stopped, paused, recovering, archive or window.
--
-- Where several deployments have room, models take turns; of one model's deployments the smallest order is asked first,
-- those of equal order in turn, by weight.
--
-- What is told of local time, hours of windows and days of budgets, reaches further than the next time it is told; this
-- clock decides which of it is now.

local newer = too_new()
if newer then return newer end
local BUDGET_KEPT_MS = 100 * 86400000    -- longer than an attempt stays in doubt
local most, allowance, request = tonumber(ARGV[2]), tonumber(ARGV[3]), cjson.decode(ARGV[4])
local now = now_ms()
local round = new_round(now, request.budgets)
if request.batches then
  round.only = {}
  for _, name in ipairs(request.batches) do round.only[name] = true end
end
local meters, desks, admitted = {}, {}, {}
-- Whoever admits here can also look through the lists of a scope, should the ledger have lost writes.
if request.guarded and not whole_ledger().guarded then
  redis.call('HSET', KEYS[1], 'guarded', 1)
  whole_ledger().guarded = '1'
end
if not request.archives then note_creator(now) end
local shut_until = archive_shut(request.archives, now)
for _, facts in ipairs(request.deployments) do
  desks[#desks + 1] = shut_for_archive(open_desk(facts, meters, now), shut_until)
end

-- Turns among models, and among a model's deployments; whoever comes (back) cannot claim the past.
local turns = P .. 'turns'
local passes, moved = {}, {}
local function pass_of(name)
  passes[name] = passes[name] or tonumber(redis.call('HGET', turns, name) or 0)
  return passes[name]
end
local function take_turn(group, name, weight)
  local start = math.max(pass_of(group), pass_of(name))
  passes[group], passes[name] = start, start + PASS_STEP / weight
  moved[group], moved[name] = true, true
end

local function close(desk, gate, at)
  desk.gate, desk.ask_again = gate, at and at < NO_TIME and at - now or -1
end

-- Whose turn it is of the desks that have room, and how many they are; they close as they are found to have none.
local function next_desk()
  local able = {}
  for _, desk in ipairs(desks) do
    if not desk.gate then
      local gate, at, tat = gate_of(desk, now)
      if gate then
        close(desk, gate, at)
      else
        desk.next_tat = tat
        able[#able + 1] = desk
      end
    end
  end
  return whose_turn(able, pass_of), #able
end

-- Takes a price out of its batch's budget, and out of those of the day and the month: their ids.
local function reserve(b, price)
  local ids = {}
  for _, budget in ipairs(round.budgets) do
    local account = budget_key(budget.id)
    ids[#ids + 1] = budget.id
    budget.spent = budget.spent + price
    redis.call('HINCRBY', account, 'reserved', price)
    redis.call('PEXPIREAT', account, string.format('%.0f', budget.ends_at + BUDGET_KEPT_MS))
  end
  b.own.spent, b.reserved = b.own.spent + price, b.reserved + price
  return table.concat(ids, ' ')
end

-- A batch that was barred for a while (its window, its money) cannot claim the past either.
local function take_batch_turn(found)
  local b, lane = found.b, found.lane
  local pass = math.max(b.pass[lane], virtual_time(round, lane))
  round.virtual[lane], b.pass[lane] = pass, pass + PASS_STEP / b.weight
end

-- What is taken stands in its queue no more, and its batch where the next one belongs.
local function leave(found)
  local lane, batch, behind = found.lane, found.batch, found.behind
  leave_queue(batch, found.id, lane)
  if found.hurried then behind = redis.call('ZRANGE', P .. 'queue:' .. lane .. ':' .. batch, 0, 0, 'WITHSCORES')[2] end
  place(lane, batch, found.b, behind)
end

-- Begins an attempt: all that `move` means for an item that waits and is admitted. What changes of its batch and its lane
-- is written by `keep`, when all is decided.
local function admit(desk, found)
  local batch, id, item, b = found.batch, found.id, found.item, found.b
  local key, n, version = item_key(batch, id), tonumber(item[1]) + 1, tonumber(item[6]) + 1
  local ref = attempt_ref(batch, id, n)
  take_batch_turn(found)
  -- What nobody knows the price of is admitted only where no budget is, and counts as nothing.
  local budgets = reserve(b, found.price or 0)
  -- Memory is asked for before anything is taken away: Redis 6 looks whether it is full at a script's first write alone.
  redis.call('HSET', attempt_key(batch, id, n), 'deployment', desk.name, 'scope', desk.facts.scope,
             'price', found.price or '', 'money', 'reserved', 'budgets', budgets, 'admitted_at', now,
             'fingerprint', item[5])
  leave(found)
  if item[7] or item[8] or item[9] then redis.call('HDEL', key, 'reason', 'message', 'remote_id') end
  if item[10] then put_off_no_more(batch, id) end
  redis.call('HSET', key, 'state', ADMITS[item[4]], 'v', version, 'changed_at', now, 'attempt', n, 'made', n,
             'deployment', desk.name)
  b.taken = b.taken + 1
  redis.call('ZADD', desk.open, string.format('%.0f', now + allowance), ref)
  if desk.probation then
    desk.tried = true
    redis.call('HSET', desk.dkey, 'trial', ref)
  end
  desk.meter.used, desk.meter.tat, desk.meter.moved = desk.meter.used + 1, desk.next_tat, true
  admitted[#admitted + 1] = {desk.name, batch, id, version, n}
end

-- What was decided, as it changes a batch.
local function keep(batch, b)
  local fields = {'reserved', b.reserved, 'n:waiting', b.waiting - b.taken, 'n:admitted', b.admitted + b.taken,
                  'moved_at', now, 'started_at', b.started_at or now}
  for lane, pass in pairs(b.pass) do fields[#fields + 1], fields[#fields + 2] = 'pass:' .. lane, pass end
  redis.call('HSET', batch_key(batch), unpack(fields))
  note_sheet(batch, now)
end

-- Until when an item that is admitted now may be sent: intend.lua and people want to know it; written where it is new.
local function note(desk)
  local facts = desk.facts
  local till = facts.window and string.format('%.0f', desk.opens_at and desk.opens_at <= now and desk.closes_at or 0)
  if till and till ~= desk.told_until then redis.call('HSET', desk.dkey, 'window_until', till)
  elseif desk.told_until and not till then redis.call('HDEL', desk.dkey, 'window_until') end
end

-- A deployment is new, or draws on another quota now: what the old one's buckets lack, the new one's lack too.
local function is_new(desk) return desk.told_scope ~= desk.facts.scope or (desk.told_quota or '') ~= desk.facts.quota end
local function join(desk)
  local facts, name = desk.facts, desk.name
  redis.call('SADD', P .. 'deployments', name)
  if desk.told_quota then redis.call('SREM', P .. 'members:' .. desk.told_quota, name) end
  for _, bucket in ipairs({'tat', 'sent_tat'}) do
    local before = tonumber(redis.call('HGET', quota_key(name, desk.told_quota), bucket) or 0)
    if before > tonumber(redis.call('HGET', desk.meter.key, bucket) or 0) then
      redis.call('HSET', desk.meter.key, bucket, string.format('%.3f', before))
    end
  end
  redis.call('HSET', desk.dkey, 'scope', facts.scope)
  if facts.quota == '' then return redis.call('HDEL', desk.dkey, 'quota') end
  redis.call('HSET', desk.dkey, 'quota', facts.quota)
  redis.call('SADD', P .. 'members:' .. facts.quota, unpack(facts.members))
end

local changed = false
for _, desk in ipairs(desks) do
  local facts, meter = desk.facts, desk.meter
  if is_new(desk) then
    join(desk)
    changed = true
  end
  if configure(meter.key, meter, facts.concurrent, facts.per_minute, now) then changed = true end
end
if changed then
  meters = {}
  for n, facts in ipairs(request.deployments) do
    desks[n] = shut_for_archive(open_desk(facts, meters, now), shut_until)
  end
end
for _, desk in ipairs(desks) do
  note(desk)
  if desk.closed_by == 'recovering' then notice(desk.facts.scope, now) end
end
while #admitted < most do
  local desk, open = next_desk()
  if not desk then break end
  local found, why, at = next_item(desk, round)
  if found then
    if open > 1 then
      take_turn('models', 'model:' .. desk.facts.model, 1)
      take_turn('of:' .. desk.facts.model, 'deployment:' .. desk.name, desk.facts.weight)
    end
    if found.in_turn then
      desk.took_pinned = found.lane ~= desk.facts.model
      if desk.took_pinned then redis.call('HSET', desk.dkey, 'took_pinned', 1)
      else redis.call('HDEL', desk.dkey, 'took_pinned') end
    end
    admit(desk, found)
  else
    close(desk, why, at)
  end
end
for batch, b in pairs(round.batches) do
  if b.taken > 0 then keep(batch, b) end
end
for lane, at in pairs(admitted[1] and round.virtual or {}) do redis.call('SET', P .. 'virtual:' .. lane, at) end
for _, meter in pairs(meters) do
  if meter.moved and meter.interval > 0 then redis.call('HSET', meter.key, 'tat', string.format('%.3f', meter.tat)) end
end
for name in pairs(moved) do redis.call('HSET', turns, name, passes[name]) end
local gates = {}
for _, desk in ipairs(desks) do gates[#gates + 1] = {desk.name, desk.gate or 'none', desk.ask_again or -1} end
return {gates, admitted}
