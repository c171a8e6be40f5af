-- Where money stands, and which budgets it is taken from; loaded behind _ledger.lua.

local function budget_key(id) return P .. 'budget:' .. id end

-- Moves an attempt's price between reserved, unknown, confirmed and none. It knows where its money is, so
-- settling twice changes nothing; and which budgets it was taken from, whatever day it is by now.
local function settle(batch, id, n, bucket)
  local key = attempt_key(batch, id, n)
  local a = redis.call('HMGET', key, 'price', 'money', 'budgets')
  local was, price = a[2] or 'none', tonumber(a[1]) or 0
  if was == bucket then return end
  -- 0 - price, not -price: Lua's -0 is no integer to Redis.
  local function book(account)
    if was ~= 'none' then redis.call('HINCRBY', account, was, 0 - price) end
    if bucket ~= 'none' then redis.call('HINCRBY', account, bucket, price) end
  end
  book(batch_key(batch))
  for name in string.gmatch(a[3] or '', '%S+') do
    local account = budget_key(name)
    -- One that is long over is gone, and must not come back as a debt.
    if redis.call('EXISTS', account) == 1 then book(account) end
  end
  redis.call('HSET', key, 'money', bucket)
end

-- What a video would cost: by the deployment's own price of a second, else as listed; nil where nobody knows.
local function price_of(seconds, listed, per_second)
  local own = tonumber(per_second)
  if own then return math.floor(own * tonumber(seconds) + 0.5) end
  return tonumber(listed)
end

-- A budget is {name, limit, spent}; that of a day or a month has its id too, and when it ends.
--
-- Those of the day and the month that it is. asked: {{name, limit, periods = {{id, from, until}, …}}, …}.
local function period_budgets(asked, now)
  local found = {}
  for _, budget in ipairs(asked) do
    -- Where no period was told for this time, nothing may be spent.
    local current = {name = budget.name, limit = -1, spent = 0}
    for _, period in ipairs(budget.periods) do
      if period[2] <= now and now < period[3] then
        local m = redis.call('HMGET', budget_key(period[1]), 'reserved', 'unknown', 'confirmed')
        local spent = tonumber(m[1] or 0) + tonumber(m[2] or 0) + tonumber(m[3] or 0)
        current = {name = budget.name, limit = budget.limit, spent = spent, id = period[1], ends_at = period[3]}
      end
    end
    found[#found + 1] = current
  end
  return found
end

local function batch_budget(limit, reserved, unknown, confirmed)
  return {name = 'batch', limit = tonumber(limit), spent = tonumber(reserved) + tonumber(unknown) + tonumber(confirmed)}
end

-- The first budget that a price would break; an unknown price breaks any.
local function broken_by(price, own, periods)
  local function breaks(budget) return not price or budget.spent + price > budget.limit end
  if own.limit and breaks(own) then return own end
  for _, budget in ipairs(periods) do
    if breaks(budget) then return budget end
  end
end

