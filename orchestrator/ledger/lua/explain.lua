-- What keeps an item that waits from being sent: reckoned by the functions that admission decides with, and nothing is
-- admitted, moved or spent.
--
-- ARGV  2 batch, 3 item, 4 {deployments = [facts, …], budgets = […]}, both as for admit.lua
-- Returns JSON: {now, item = {…}, batch = {…}, spec = "json", …}; nil when there is no such item. Of one that stands in a
-- queue also
--   desks    of each deployment that takes from there {name, gate or absent, at, used, cap, short}: what admission would
--            say of it, and the budget that the queue's head would break: {name, price, spent, limit, ends_at};
--            ahead: {batch, others, batches}, how many go before it there, of its own batch and, if turns go on as they
--            stand, of how many others; takes: this desk is the one that takes it next
--   shut     the batch's window is closed; opens_at: until when
--   archive  why the archive lets no creates start, if it does: refused, unattended or behind
--   head     the item at the head of its batch's queue there: none behind it is sent before it
-- Times in ms; what has no time is absent.

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

local function round_at(at)
  local found = new_round(at, request.budgets)
  found.known = {}
  return found
end
local round = round_at(now)
local function instant(at) return at and at < NO_TIME and at or nil end

local function how_short(desk, head, b)
  local price, broken = cost_of(desk, round, head, b)
  if not broken then return nil end
  return {name = broken.name, price = price, spent = broken.spent, limit = broken.limit, ends_at = broken.ends_at}
end

-- The item, as those before it are counted; nil where it does not stand in the queue.
local function as_asked()
  local rank = redis.call('ZRANK', P .. 'queue:' .. lane .. ':' .. batch, id)
  if not rank then return nil end
  local pass = math.max(tonumber(own['pass:' .. lane] or 0), tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0))
  local urgency = tonumber(own.priority) + tonumber(item.priority)
  return {batch = batch, id = id, lane = lane, urgency = urgency, remix = item.source_id, rank = rank,
          above = (count_urgent(lane, batch, urgency)), turn = pass + rank * PASS_STEP / tonumber(own.weight)}
end

-- Who goes before it at a desk, and whether that desk takes it next: once its quota has room, at this time.
local function place_at(desk, desks, asked, at)
  local its, group, others, opens = at == now and round or round_at(at), {}, {}, false
  for _, each in ipairs(desks) do
    if is_open_at(each, at) then
      local list = each.meter == desk.meter and group or others
      list[#list + 1] = each
      opens = opens or each == desk
    end
  end
  local takes, before = nil, nil
  if opens then takes, before = taker(group, others, its, asked) end
  local found = {batch = 0, others = 0, batches = 0}
  if takes then return found, takes == desk end
  local tally = tally_at(desk, opens and group or {}, its, asked)
  if before and total_of(tally) == 0 then add(tally, before, 1) end
  for name, count in pairs(tally) do
    if name == batch then found.batch = count
    elseif count > 0 then found.others, found.batches = found.others + count, found.batches + 1 end
  end
  return found, false
end

local b = batch_of(round, batch, lane)
local head_id, head = head_item(lane, batch)
answer.head, answer.shut = head_id, is_shut(batch, b.window, round.shut, now)
if answer.shut then answer.opens_at = round.shut[batch] or nil end
answer.desks = {}
local meters, desks, asked = {}, {}, as_asked()
-- Where nobody works at all, that is what to say; where somebody creates, and nobody archives, admission says this.
local shut_until, shut_by = archive_shut(not creator_alive(now), now)
answer.archive = tonumber(redis.call('HGET', KEYS[1], 'archive_closed_until') or 0) > now and 'refused' or shut_by
for _, facts in ipairs(request.deployments) do
  desks[#desks + 1] = shut_for_archive(open_desk(facts, meters, now), shut_until)
end
for _, desk in ipairs(desks) do
  if lane == desk.facts.model or lane == '@' .. desk.name then
    local gate, at = gate_of(desk, now)
    local ahead, takes = nil, false
    local flows_at = (gate == 'rate' or gate == 'slot') and instant(at) or now
    if asked then ahead, takes = place_at(desk, desks, asked, flows_at) end
    answer.desks[#answer.desks + 1] = {
      name = desk.name, gate = gate, at = gate and instant(at), used = desk.meter.used, trial = desk.tried and true or nil,
      cap = desk.meter.cap < math.huge and desk.meter.cap or nil, short = head and how_short(desk, head, b), ahead = ahead,
      takes = takes,
    }
  end
end
return cjson.encode(answer)
