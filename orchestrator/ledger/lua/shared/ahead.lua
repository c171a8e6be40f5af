-- Who goes before an item that waits, where a deployment could take it; loaded behind shared/lanes.lua, for explain.lua.
--
-- Which item is next is asked of `next_item`, by which admission chooses. How many go before one that is not is an
-- estimate: as turns would go if nothing changed.
--
-- `asked`, the item: {batch, id, lane, urgency, remix, rank in its queue, above: how many there are more urgent, turn: the
-- pass at which its batch comes to it}. A tally is {batch → how many}.

local MOST_BATCHES, MOST_HURRIED_TOLD = 1000, 1000

-- The first of a queue that waits, as `head_of` finds it, with nothing taken out.
local function head_item(lane, batch)
  for _, first in ipairs(redis.call('ZRANGE', P .. 'queue:' .. lane .. ':' .. batch, 0, 99)) do
    local fields = redis.call('HMGET', item_key(batch, first), unpack(OF_HEAD))
    if ADMITS[fields[4]] then return first, fields end
  end
end

-- How many of a queue are of more urgency than this, and how many of the same.
local function count_urgent(lane, batch, urgency)
  local queue = P .. 'queue:' .. lane .. ':' .. batch
  local own = urgency - tonumber(redis.call('HGET', batch_key(batch), 'priority'))
  local edge = string.format('%.0f', -own * PRIORITY_STEP)
  return redis.call('ZCOUNT', queue, '-inf', '(' .. edge),
         redis.call('ZCOUNT', queue, edge, '(' .. string.format('%.0f', (1 - own) * PRIORITY_STEP))
end

-- The batches of a lane whose items a desk would take, in their order: {name, above, alike, and its head: an id}. None
-- whose hours or money lack.
local function competitors(desk, round, lane, urgency)
  local known = lane .. ' ' .. urgency .. ' ' .. desk.facts.price_per_s
  if round.known[known] then return round.known[known] end
  local found = {}
  for _, name in ipairs(redis.call('ZRANGE', P .. 'ready:' .. lane, 0, MOST_BATCHES - 1)) do
    local b, head, item = batch_of(round, name, lane), head_item(lane, name)
    if head and not is_shut(name, b.window, round.shut, round.now) and not select(2, cost_of(desk, round, item, b)) then
      local above, alike = count_urgent(lane, name, urgency)
      found[#found + 1] = {name = name, head = head, above = above, alike = alike}
    end
  end
  round.known[known] = found
  return found
end

local function add(tally, name, count)
  if count > 0 then tally[name] = (tally[name] or 0) + count end
end

local function total_of(tally)
  local total = 0
  for _, count in pairs(tally) do total = total + count end
  return total
end

-- Those of its own lane; and how many of them are as urgent as it is.
local function of_own_lane(desk, round, asked)
  local tally, alike = {[asked.batch] = asked.rank}, asked.rank - asked.above
  for _, each in ipairs(competitors(desk, round, asked.lane, asked.urgency)) do
    if each.name ~= asked.batch then
      local b = redis.call('HMGET', batch_key(each.name), 'pass:' .. asked.lane, 'weight')
      local turns = (asked.turn - tonumber(b[1] or 0)) * tonumber(b[2]) / PASS_STEP
      turns = each.name < asked.batch and math.floor(turns) + 1 or math.ceil(turns)    -- of equal passes, the name decides
      turns = math.max(0, math.min(each.alike, turns))
      add(tally, each.name, each.above + turns)
      alike = alike + turns
    end
  end
  return tally, alike
end

local function is_remix(batch, id) return redis.call('HEXISTS', item_key(batch, id), 'source_id') == 1 end

-- Those of another lane of its deployment, with which its own takes turns; of remixes all, since they go first.
local function of_other_lane(desk, round, asked, lane, alike)
  local tally, left, pinned = {}, alike + 1, lane ~= desk.facts.model
  if not pinned and asked.remix then left = 0 end
  for _, each in ipairs(competitors(desk, round, lane, asked.urgency)) do
    local count = math.min(left, each.alike)
    if pinned and is_remix(each.name, each.head) then count = each.alike end
    left = math.max(0, left - count)
    add(tally, each.name, each.above + count)
  end
  return tally
end

-- The remixes of a desk that go before all else, up to the item itself; and whether that is one of them.
local function hurried_before(desk, round, asked)
  local own, tally = '@' .. desk.name, {}
  local soon = string.format('%.0f', round.now + HURRY_MS)
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'hurry:' .. own, '-inf', soon, 'LIMIT', 0, MOST_HURRIED_TOLD)) do
    local batch, id = string.match(ref, '^([^/]+)/(.+)$')
    if batch == asked.batch and id == asked.id then return tally, true end
    if redis.call('ZSCORE', P .. 'queue:' .. own .. ':' .. batch, id) then add(tally, batch, 1) end
  end
  return tally, false
end

-- How many go before an item at a desk, by batch. `group`: the desks that draw on one quota with it.
local function tally_at(desk, group, round, asked)
  local own, model = '@' .. desk.name, desk.facts.model
  local hurried, is_hurried = hurried_before(desk, round, asked)
  local tally, alike, others = hurried, 0, {}
  if not is_hurried then
    tally, alike = of_own_lane(desk, round, asked)
    if asked.lane == own then
      for name, count in pairs(hurried) do tally[name] = math.max(tally[name] or 0, count) end
      others[#others + 1] = {model, desk, {}}
    else
      others[#others + 1] = {own, desk, hurried}
    end
  end
  for _, each in ipairs(group) do
    if each ~= desk and each.facts.model == model then
      others[#others + 1] = {'@' .. each.name, each, hurried_before(each, round, asked)}
    end
  end
  for _, other in ipairs(others) do
    local lane, soon = of_other_lane(other[2], round, asked, other[1], alike), other[3]
    for name, count in pairs(soon) do lane[name] = math.max(lane[name] or 0, count) end
    for name, count in pairs(lane) do add(tally, name, count) end
  end
  -- Models take turns, whatever the urgency of what they have.
  local most, turns, seen = total_of(tally) + 1, {}, {}
  for _, each in ipairs(group) do
    local other = each.facts.model
    for _, lane in ipairs(other ~= model and {'@' .. each.name, other} or {}) do
      for _, batch in ipairs(not seen[lane] and competitors(each, round, lane, -math.huge) or {}) do
        local count = math.min(most - (turns[other] or 0), batch.above)
        turns[other] = (turns[other] or 0) + count
        add(tally, batch.name, count)
      end
      seen[lane] = true
    end
  end
  return tally
end

-- Whether a desk takes something at that time, should its quota have room.
local function is_open_at(desk, at)
  local in_hours = desk.opens_at and desk.opens_at <= at and not (desk.closes_at and desk.closes_at <= at)
  return in_hours and not desk.stopped and not desk.tried and not (desk.closed_until and desk.closed_until > at)
end

-- The desk of one quota that takes first, and what each of them would take.
local function first_of(group, round)
  local able, takes = {}, {}
  local function pass_of(name) return tonumber(redis.call('HGET', P .. 'turns', name) or 0) end
  for _, desk in ipairs(group) do
    local found = next_item(desk, round)
    if found then
      able[#able + 1] = desk
      takes[#takes + 1] = {desk = desk, batch = found.batch, id = found.id}
    end
  end
  return whose_turn(able, pass_of), takes
end

-- The desk that takes the item next, if one of these does; else the batch of which another is taken before it, if any is.
-- Where desks of another quota serve one of their models too, nobody knows whose turn it will be.
local function taker(group, others, round, asked)
  local first, takes = first_of(group, round)
  local mine, before, models = false, nil, {}
  for _, found in ipairs(takes) do
    local is_it = found.batch == asked.batch and found.id == asked.id
    mine = mine or is_it and found.desk == first
    models[found.desk.facts.model] = true
    if not is_it and (not before or found.desk == first) then before = found.batch end
  end
  for _, desk in ipairs(before and others or {}) do mine = mine and not models[desk.facts.model] end
  if mine then return first end
  return nil, before
end
