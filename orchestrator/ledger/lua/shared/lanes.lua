-- The next item of the queues, by urgency, turn and place, whose batch may run and can pay; loaded behind shared/desk.lua.

-- A round: the decisions of one instant. Within it no window opens and no budget grows, so what was found once is not
-- looked at again, and each batch is read once: who takes something out of it notes that there.
--   budgets    of the day and the month; only: {batch = true}, all others are passed over, or nil
--   shut       batches whose window is closed → when it opens, or false
--   broke      of a desk's lane and batch whose head cannot be paid → when that ends, or false
--   batches    as `batch_of` reads them; virtual: lanes → their virtual time
local function new_round(now, budgets)
  return {now = now, budgets = period_budgets(budgets, now), shut = {}, broke = {}, batches = {}, virtual = {}}
end

local function virtual_time(round, lane)
  local at = round.virtual[lane] or tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0)
  round.virtual[lane] = at
  return at
end

-- What admission needs to know of a batch that stands in a lane.
local function batch_of(round, batch, lane)
  local b = round.batches[batch]
  if not b then
    local f = redis.call('HMGET', batch_key(batch), 'budget', 'reserved', 'unknown', 'confirmed', 'weight', 'window', 'priority',
                         'started_at', 'n:waiting', 'n:admitted', 'pass:' .. lane)
    b = {own = batch_budget(f[1], f[2], f[3], f[4]), reserved = tonumber(f[2]), weight = tonumber(f[5]), window = f[6],
         priority = tonumber(f[7] or 0), started_at = f[8], waiting = tonumber(f[9] or 0), admitted = tonumber(f[10] or 0),
         pass = {[lane] = tonumber(f[11] or 0)}, taken = 0}
    round.batches[batch] = b
  elseif not b.pass[lane] then
    b.pass[lane] = tonumber(redis.call('HGET', batch_key(batch), 'pass:' .. lane) or 0)
  end
  return b
end

-- What is read of an item.
local OF_HEAD = {'made', 'seconds', 'price', 'state', 'fingerprint', 'v', 'reason', 'message', 'remote_id', 'not_before'}

-- What an item would cost at a desk, and the first budget that would break; both as read above.
local function cost_of(desk, round, item, b)
  local price = price_of(item[2], item[3], desk.facts.price_per_s)
  return price, broken_by(price, b.own, round.budgets)
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

-- Puts it in its place, by the score of its queue's head by now; without one, in none.
local function place(lane, batch, b, head_score)
  if head_score then put_in_order(lane, batch, b.priority, tonumber(head_score), b.pass[lane])
  else redis.call('ZREM', P .. 'ready:' .. lane, batch) end
end

-- The first item of a queue, and the score of the one behind it; one that does not wait has no business there and must not
-- stop all others.
local function head_of(lane, batch, b)
  local queue = P .. 'queue:' .. lane .. ':' .. batch
  local first = redis.call('ZRANGE', queue, 0, 1, 'WITHSCORES')
  while first[1] do
    local item = redis.call('HMGET', item_key(batch, first[1]), unpack(OF_HEAD))
    if ADMITS[item[4]] then return first[1], item, first[4] end
    redis.call('ZREM', queue, first[1])
    place(lane, batch, b, first[4])
    first = redis.call('ZRANGE', queue, 0, 1, 'WITHSCORES')
  end
end

-- A desk's lanes, the one to look in first: its own (what is pinned to it, remixes of its videos) and its model's. The
-- more urgent goes first; of equals a remix, since its source expires, else each in turn: then the second answer is true.
local function lanes_of(desk, round)
  local own, model = '@' .. desk.name, desk.facts.model
  local function head(lane) return redis.call('ZRANGE', P .. 'ready:' .. lane, 0, 0, 'WITHSCORES') end
  local mine = head(own)
  if not mine[1] then return {model} end
  local theirs = head(model)
  if not theirs[1] then return {own} end
  -- A pass grows for ever, but is never far from the lane's virtual time.
  local function urgency(lane, score)
    return -math.floor((tonumber(score) - virtual_time(round, lane)) / URGENCY_STEP + 0.5)
  end
  local difference = urgency(own, mine[2]) - urgency(model, theirs[2])
  if difference ~= 0 then return difference > 0 and {own, model} or {model, own} end
  local first = redis.call('ZRANGE', P .. 'queue:' .. own .. ':' .. mine[1], 0, 0)[1]
  if first and redis.call('HEXISTS', item_key(mine[1], first), 'source_id') == 1 then return {own, model} end
  return desk.took_pinned and {model, own} or {own, model}, true
end

-- What admission takes, where its batch may run and can pay; nil and what bars it otherwise. `item` and `b` as read above.
local function takeable(desk, round, lane, batch, id, item, b, in_turn)
  local price, broken = cost_of(desk, round, item, b)
  if broken then return nil, broken end
  return {lane = lane, batch = batch, id = id, item = item, b = b, price = price, in_turn = in_turn}
end

-- A remix whose source is deleted soon goes before all else.
local HURRY_MS, MOST_HURRIED = 6 * 3600000, 100
local function hurried(desk, round)
  local own = '@' .. desk.name
  local soon = string.format('%.0f', round.now + HURRY_MS)
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', P .. 'hurry:' .. own, '-inf', soon, 'LIMIT', 0, MOST_HURRIED)) do
    local batch, id = string.match(ref, '^([^/]+)/(.+)$')
    if (not round.only or round.only[batch]) and redis.call('ZSCORE', P .. 'ready:' .. own, batch) then
      local b = batch_of(round, batch, own)
      local item = redis.call('HMGET', item_key(batch, id), unpack(OF_HEAD))
      local queued = redis.call('ZSCORE', P .. 'queue:' .. own .. ':' .. batch, id)
      if queued and ADMITS[item[4]] and not is_shut(batch, b.window, round.shut, round.now) then
        local found = takeable(desk, round, own, batch, id, item, b)
        if found then
          found.hurried = true
          return found
        end
      end
    end
  end
end

-- The first item, in the order of the lanes' indexes, whose batch may run here and can pay for it. Without one: why, and
-- when the first of what is in the way ends by itself, if anything does.
local FIRST_PAGE, PAGE = 3, 20
local function next_item(desk, round)
  local why, at = 'empty', nil
  local function bar(gate, ends_at)
    if why ~= 'budget' then why = gate end
    if ends_at and (not at or ends_at < at) then at = ends_at end
  end
  local lanes, in_turn = lanes_of(desk, round)
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
          local b = batch_of(round, batch, lane)
          if is_shut(batch, b.window, round.shut, round.now) then
            bar('window', round.shut[batch])
          else
            local id, item, behind = head_of(lane, batch, b)
            local found, broken
            if id then found, broken = takeable(desk, round, lane, batch, id, item, b, in_turn) end
            if found then
              found.behind = behind
              return found
            end
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
