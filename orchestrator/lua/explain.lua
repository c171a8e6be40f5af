-- What keeps an item that waits from being sent: reckoned by the functions that admission decides with, and nothing is
-- admitted, moved or spent.
--
-- ARGV  2 batch, 3 item, 4 {deployments = [facts, …], budgets = […]}, both as for admit.lua
-- Returns JSON: {now, item = {…}, batch = {…}, spec = "json", …}; nil when there is no such item. Of one that stands in a
-- queue also
--   desks    of each deployment that takes from there {name, gate or absent, at, used, cap, short}: what admission would
--            say of it, and the budget that the queue's head would break: {name, price, spent, limit, ends_at}
--   shut     the batch's window is closed; opens_at: until when
--   archive  why the archive lets no creates start, if it does: refused, unattended or behind
--   head     the item at the head of its batch's queue there: none behind it is sent before it
--   ahead    {batch, others, batches}: how many go before it, of its own batch and, if turns go on as they stand, of
--            how many others
-- Times in ms; what has no time is absent.

local MOST_BATCHES = 1000
local batch, id, request = ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local now = now_ms()

local function fields_of(key)
  local found, flat = {}, redis.call('HGETALL', key)
  for n = 1, #flat, 2 do found[flat[n]] = flat[n + 1] end
  return found
end

local item, own = fields_of(item_key(batch, id)), fields_of(batch_key(batch))
if not item.state then return nil end
local answer = {now = now, item = item, batch = own, spec = redis.call('HGET', P .. 'specs:' .. batch, id)}
local lane = item.lane or ''
if item.state ~= 'waiting' or lane == '' then return cjson.encode(answer) end

local round = {now = now, budgets = period_budgets(request.budgets, now), shut = {}}
local function instant(at) return at and at < NO_TIME and at or nil end

-- The first that waits, as `head_of` finds it, with nothing taken out.
local function head_item()
  for _, first in ipairs(redis.call('ZRANGE', P .. 'queue:' .. lane .. ':' .. batch, 0, 99)) do
    local fields = redis.call('HMGET', item_key(batch, first), unpack(OF_HEAD))
    if TABLE.admitted[fields[4]] then return first, fields end
  end
end

local function how_short(desk, head, b)
  local price, broken = cost_of(desk, round, head, b)
  if not broken then return nil end
  return {name = broken.name, price = price, spent = broken.spent, limit = broken.limit, ends_at = broken.ends_at}
end

-- How many of another batch go before an item of this urgency whose turn comes at this pass.
local function before(name, urgency, turn)
  local b = redis.call('HMGET', batch_key(name), 'priority', 'weight', 'window', 'pass:' .. lane)
  if is_shut(name, b[3], round.shut, now) then return 0 end
  local queue, alike = P .. 'queue:' .. lane .. ':' .. name, urgency - tonumber(b[1])
  local edge = string.format('%.0f', -alike * PRIORITY_STEP)
  local more = redis.call('ZCOUNT', queue, '-inf', '(' .. edge)
  local equal = redis.call('ZCOUNT', queue, edge, '(' .. string.format('%.0f', (1 - alike) * PRIORITY_STEP))
  local turns = (turn - tonumber(b[4] or 0)) * tonumber(b[2]) / PASS_STEP
  turns = name < batch and math.floor(turns) + 1 or math.ceil(turns)    -- of equal passes, the name decides
  return more + math.max(0, math.min(equal, turns))
end

local function ahead()
  local queue = P .. 'queue:' .. lane .. ':' .. batch
  local rank = redis.call('ZRANK', queue, id)
  if not rank then return nil end
  local pass = math.max(tonumber(own['pass:' .. lane] or 0), tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0))
  local turn = pass + rank * PASS_STEP / tonumber(own.weight)
  local found = {batch = rank, others = 0, batches = 0}
  for _, name in ipairs(redis.call('ZRANGE', P .. 'ready:' .. lane, 0, MOST_BATCHES - 1)) do
    local count = name ~= batch and before(name, tonumber(own.priority) + tonumber(item.priority), turn) or 0
    found.others, found.batches = found.others + count, found.batches + (count > 0 and 1 or 0)
  end
  return found
end

local b = redis.call('HMGET', batch_key(batch), unpack(OF_BATCH))
local head_id, head = head_item()
answer.head, answer.ahead, answer.shut = head_id, ahead(), is_shut(batch, b[6], round.shut, now)
if answer.shut then answer.opens_at = round.shut[batch] or nil end
answer.desks = {}
local meters = {}
-- Where nobody works at all, that is what to say; where somebody creates, and nobody archives, admission says this.
local creator = tonumber(redis.call('HGET', KEYS[1], 'creator_at') or 0)
local shut_until, shut_by = archive_shut(now - creator > ALIVE_MS, now)
answer.archive = tonumber(redis.call('HGET', KEYS[1], 'archive_closed_until') or 0) > now and 'refused' or shut_by
for _, facts in ipairs(request.deployments) do
  if lane == facts.model or lane == '@' .. facts.name then
    local desk = shut_for_archive(open_desk(facts, meters, now), shut_until)
    local gate, at = gate_of(desk, now)
    answer.desks[#answer.desks + 1] = {
      name = facts.name, gate = gate, at = gate and instant(at), used = desk.meter.used, trial = desk.tried and true or nil,
      cap = desk.meter.cap < math.huge and desk.meter.cap or nil, short = head and how_short(desk, head, b),
    }
  end
end
return cjson.encode(answer)
