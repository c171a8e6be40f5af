-- One decision: a token of the deployment's bucket, a slot, the batch's money and the next item, or nothing.
--
-- ARGV  2 deployment, 3 request: {model, scope, interval_ms, burst, concurrent or -1, price_per_s or "",
--       allowance_ms, most, batches = [names] or false, window = [[from, until], …] or false,
--       budgets = [{name, limit, periods = [[id, from, until], …]}, …]}
-- Returns {gate, ask again in ms or -1, admitted …}: each admitted is {batch, item, version, attempt};
-- gate says what stopped the next one: none, empty, rate, slot, budget, cooling, stopped, paused, archive or window.
--
-- What is told of local time, hours of windows and days of budgets, reaches further than the next time it is told; this
-- clock decides which of it is now.

local BUDGET_KEPT_MS = 100 * 86400000    -- longer than an attempt stays in doubt
local deployment, request = ARGV[2], cjson.decode(ARGV[3])
local dkey, open = P .. 'deployment:' .. deployment, open_key(deployment)
local now = now_ms()
local d = redis.call('HMGET', dkey, 'stopped', 'tat', 'probation', 'window_until')
local reopens_at, closed_by = closed_until(dkey, now)
local used = redis.call('ZCARD', open)
local cap = request.concurrent < 0 and math.huge or request.concurrent
local tried = d[3] and on_trial(dkey, open)
local tat = tonumber(d[2] or 0)
local opens_at, closes_at = 0, nil
if request.window then opens_at, closes_at = interval_of(request.window, now) end
local budgets = period_budgets(request.budgets, now)
local shut = {}    -- batches whose window is closed → when it opens, or false
local only = nil
if request.batches then
  only = {}
  for _, name in ipairs(request.batches) do only[name] = true end
end

-- The first item of a queue; one that does not wait has no business there and must not stop all others.
local function head_of(lane, batch)
  local queue = P .. 'queue:' .. lane .. ':' .. batch
  local id = redis.call('ZRANGE', queue, 0, 0)[1]
  while id do
    local item = redis.call('HMGET', item_key(batch, id), 'made', 'seconds', 'price', 'state', 'fingerprint')
    if TABLE.admitted[item[4]] then return id, item end
    redis.call('ZREM', queue, id)
    index_batch(batch, lane)
    id = redis.call('ZRANGE', queue, 0, 0)[1]
  end
end

-- Whether a batch's window is closed. One that has none costs nothing here.
local function is_shut(batch, window)
  if not window then return false end
  if shut[batch] == nil then
    local at = batch_opens_at(batch, now)
    if at and at <= now then return false end
    shut[batch] = at or false
  end
  return true
end

-- The first item, in the order of the lanes' indexes, whose batch may run here and can pay for it. Without one: why, and
-- when the first of what is in the way ends by itself, if anything does.
local function next_item()
  local why, at = 'empty', nil
  local function bar(gate, ends_at)
    if why ~= 'budget' then why = gate end
    if ends_at and (not at or ends_at < at) then at = ends_at end
  end
  for _, lane in ipairs({'@' .. deployment, request.model}) do
    local from = 0
    repeat
      local names = redis.call('ZRANGE', P .. 'ready:' .. lane, from, from + 19)
      for _, batch in ipairs(names) do
        if not only or only[batch] then
          local b = redis.call('HMGET', batch_key(batch), 'budget', 'reserved', 'unknown', 'confirmed', 'weight', 'window')
          if is_shut(batch, b[6]) then
            bar('window', shut[batch])
          else
            local id, item = head_of(lane, batch)
            local price = id and price_of(item[2], item[3], request.price_per_s)
            local broken = id and broken_by(price, batch_budget(b[1], b[2], b[3], b[4]), budgets)
            if id and not broken then return lane, batch, id, item, price, tonumber(b[5]) end
            if broken then bar('budget', broken.ends_at) end
          end
        end
      end
      from = from + 20
    until #names < 20
  end
  return nil, why, at
end

-- Takes an attempt's price out of its batch's budget, and out of those of the day and the month.
local function reserve(batch, id, n, price)
  local ids = {}
  for _, budget in ipairs(budgets) do
    ids[#ids + 1] = budget.id
    budget.spent = budget.spent + price
    redis.call('HSETNX', budget_key(budget.id), 'reserved', 0)
    redis.call('PEXPIREAT', budget_key(budget.id), string.format('%.0f', budget.ends_at + BUDGET_KEPT_MS))
  end
  if #ids > 0 then redis.call('HSET', attempt_key(batch, id, n), 'budgets', table.concat(ids, ' ')) end
  settle(batch, id, n, 'reserved')
end

local answer = {'none', -1}
local function close(gate, at)
  answer[1], answer[2] = gate, at and at < NO_TIME and at - now or -1
end

redis.call('SADD', P .. 'deployments', deployment)
redis.call('HSET', dkey, 'scope', request.scope)
-- Until when an item that is admitted now may be sent.
if not request.window then
  if d[4] then redis.call('HDEL', dkey, 'window_until') end
else
  redis.call('HSET', dkey, 'window_until', string.format('%.0f', opens_at and opens_at <= now and closes_at or 0))
end
for _ = 1, request.most do
  if d[1] then close('stopped') break end
  if not opens_at or opens_at > now then close('window', opens_at) break end
  if reopens_at then close(closed_by, reopens_at) break end
  if used >= cap or tried then close('slot') break end
  local next_tat, at = tat, nil
  if request.interval_ms > 0 then
    next_tat, at = take_token(tat, now, request.interval_ms, request.burst, 0)
  end
  if not next_tat then close('rate', at) break end
  local lane, batch, id, item, price, weight = next_item()
  if not lane then close(batch, id) break end

  local n = tonumber(item[1]) + 1
  local key = item_key(batch, id)
  local akey = attempt_key(batch, id, n)
  redis.call('HSET', akey, 'deployment', deployment, 'scope', request.scope, 'price', price or '',
             'money', 'none', 'admitted_at', now, 'fingerprint', item[5])
  -- A batch that was barred for a while (its window, its money) cannot claim the past either.
  local pass = math.max(tonumber(redis.call('HGET', batch_key(batch), 'pass:' .. lane) or 0),
                        tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0))
  redis.call('SET', P .. 'virtual:' .. lane, pass)
  redis.call('HSET', batch_key(batch), 'pass:' .. lane, pass + PASS_STEP / weight)
  redis.call('HSETNX', batch_key(batch), 'started_at', now)
  -- The move takes the item off its queue by its state's lane, before the new attempt is its own.
  local version = move(batch, id, item[4], TABLE.admitted[item[4]], now)
  redis.call('HSET', key, 'attempt', n, 'made', n, 'deployment', deployment)
  redis.call('HDEL', key, 'reason', 'message', 'remote_id')
  reserve(batch, id, n, price)
  redis.call('ZADD', open, string.format('%.0f', now + request.allowance_ms), attempt_ref(batch, id, n))
  if d[3] then
    tried = true
    redis.call('HSET', dkey, 'trial', attempt_ref(batch, id, n))
  end
  used, tat = used + 1, tonumber(next_tat)
  answer[#answer + 1] = {batch, id, version, n}
end
if request.interval_ms > 0 then redis.call('HSET', dkey, 'tat', string.format('%.3f', tat)) end
return answer
