-- The next item of the queues, by urgency, turn and place, whose batch may run and can pay; loaded behind _desk.lua.

-- What is read of a batch, and of the item at the head of its queue.
local OF_BATCH = {'budget', 'reserved', 'unknown', 'confirmed', 'weight', 'window'}
local OF_HEAD = {'made', 'seconds', 'price', 'state', 'fingerprint'}

-- What an item would cost at a desk, and the first budget that would break; both as read above.
local function cost_of(desk, round, item, b)
  local price = price_of(item[2], item[3], desk.facts.price_per_s)
  return price, broken_by(price, batch_budget(b[1], b[2], b[3], b[4]), round.budgets)
end

local function is_shut(batch, window, shut, now)
  if not window then return false end
  if shut[batch] == nil then
    local at = batch_opens_at(batch, now)
    if at and at <= now then return false end
    shut[batch] = at or false
  end
  return true
end

-- The first item of a queue; one that does not wait has no business there and must not stop all others.
local function head_of(lane, batch)
  local queue = P .. 'queue:' .. lane .. ':' .. batch
  local id = redis.call('ZRANGE', queue, 0, 0)[1]
  while id do
    local item = redis.call('HMGET', item_key(batch, id), unpack(OF_HEAD))
    if TABLE.admitted[item[4]] then return id, item end
    redis.call('ZREM', queue, id)
    index_batch(batch, lane)
    id = redis.call('ZRANGE', queue, 0, 0)[1]
  end
end

-- A desk's lanes, the one to look in first: its own (what is pinned to it, remixes of its videos) and its model's. The
-- more urgent goes first; of equals a remix, since its source expires, else each in turn: then the second answer is true.
local function lanes_of(desk)
  local own, model = '@' .. desk.name, desk.facts.model
  local function head(lane) return redis.call('ZRANGE', P .. 'ready:' .. lane, 0, 0, 'WITHSCORES') end
  local mine = head(own)
  if not mine[1] then return {model} end
  local theirs = head(model)
  if not theirs[1] then return {own} end
  -- A pass grows for ever, but is never far from the lane's virtual time.
  local function urgency(lane, score)
    local virtual = tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0)
    return -math.floor((tonumber(score) - virtual) / URGENCY_STEP + 0.5)
  end
  local difference = urgency(own, mine[2]) - urgency(model, theirs[2])
  if difference ~= 0 then return difference > 0 and {own, model} or {model, own} end
  local first = redis.call('ZRANGE', P .. 'queue:' .. own .. ':' .. mine[1], 0, 0)[1]
  if first and redis.call('HEXISTS', item_key(mine[1], first), 'source_id') == 1 then return {own, model} end
  return desk.took_pinned and {model, own} or {own, model}, true
end

-- What admission takes, where its batch may run and can pay; nil and what bars it otherwise.
local function takeable(desk, round, lane, batch, id, item, b, in_turn)
  local price, broken = cost_of(desk, round, item, b)
  if broken then return nil, broken end
  return {lane = lane, batch = batch, id = id, state = item[4], made = tonumber(item[1]), fingerprint = item[5],
          price = price, weight = tonumber(b[5]), in_turn = in_turn}
end

-- A remix whose source is deleted soon goes before all else.
local HURRY_MS, MOST_HURRIED = 6 * 3600000, 100
local function hurried(desk, round)
  local own = '@' .. desk.name
  local soon = string.format('%.0f', round.now + HURRY_MS)
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'hurry:' .. own, '-inf', soon, 'LIMIT', 0, MOST_HURRIED)) do
    local batch, id = string.match(ref, '^([^/]+)/(.+)$')
    if (not round.only or round.only[batch]) and redis.call('ZSCORE', P .. 'ready:' .. own, batch) then
      local b = redis.call('HMGET', batch_key(batch), unpack(OF_BATCH))
      local item = redis.call('HMGET', item_key(batch, id), unpack(OF_HEAD))
      local queued = redis.call('ZSCORE', P .. 'queue:' .. own .. ':' .. batch, id)
      if queued and TABLE.admitted[item[4]] and not is_shut(batch, b[6], round.shut, round.now) then
        local found = takeable(desk, round, own, batch, id, item, b)
        if found then return found end
      end
    end
  end
end

-- The first item, in the order of the lanes' indexes, whose batch may run here and can pay for it. Without one: why, and
-- when the first of what is in the way ends by itself, if anything does.
--
-- `round`: {now, only = batches or nil, budgets, shut = {}: batches whose window is closed → when it opens, or false,
-- broke = {}: of a desk's lane and batch whose head cannot be paid → when that ends, or false}. Within one round neither
-- ends, so what was found once is not looked at again.
local FIRST_PAGE, PAGE = 3, 20
local function next_item(desk, round)
  local why, at = 'empty', nil
  local function bar(gate, ends_at)
    if why ~= 'budget' then why = gate end
    if ends_at and (not at or ends_at < at) then at = ends_at end
  end
  local lanes, in_turn = lanes_of(desk)
  if #lanes > 1 or lanes[1] ~= desk.facts.model then
    local found = hurried(desk, round)
    if found then return found end
  end
  for _, lane in ipairs(lanes) do
    local from, size = 0, FIRST_PAGE
    repeat
      local names = redis.call('ZRANGE', P .. 'ready:' .. lane, from, from + size - 1)
      for _, batch in ipairs(names) do
        local ref = desk.name .. ' ' .. lane .. ' ' .. batch
        if round.only and not round.only[batch] then
          -- Not asked for.
        elseif round.shut[batch] ~= nil then
          bar('window', round.shut[batch])
        elseif round.broke[ref] ~= nil then
          bar('budget', round.broke[ref])
        else
          local b = redis.call('HMGET', batch_key(batch), unpack(OF_BATCH))
          if is_shut(batch, b[6], round.shut, round.now) then
            bar('window', round.shut[batch])
          else
            local id, item = head_of(lane, batch)
            local found, broken
            if id then found, broken = takeable(desk, round, lane, batch, id, item, b, in_turn) end
            if found then return found end
            if broken then
              round.broke[ref] = broken.ends_at or false
              bar('budget', broken.ends_at)
            end
          end
        end
      end
      local full = #names == size
      from, size = from + size, PAGE
    until not full
  end
  return nil, why, at
end
