-- Where money stands, and which budgets it is taken from; loaded behind shared/ledger.lua.

local function budget_key(id) return P .. 'budget:' .. id end

-- What is, or may be, paid: by attempt, item, batch and budget; and by the day of the create (UTC), deployment, batch and
-- model in 'spend:DAY', which outlives the batch. Its fields are 'BUCKET DEPLOYMENT BATCH MODEL' (only a model may have
-- spaces); `videos` counts the creates, `unpriced` those of them at a price that nobody knows.
local PAID = {unknown = true, confirmed = true}
local DAY_MS, SPEND_KEPT_MS = 86400000, 800 * 86400000

local function book_spend(batch, id, key, was, bucket, price)
  local h = redis.call('HMGET', key, 'deployment', 'intent_at', 'created_at', 'price')
  -- A receipt that is found of a batch whose money was booked before it was forgotten.
  local receipt = was == 'none' and bucket == 'confirmed'
  if receipt and (price == 0 or redis.call('ZSCORE', P .. 'booked', batch)) then return end
  local model = redis.call('HGET', item_key(batch, id), 'model') or ''
  local day = math.floor((tonumber(h[2]) or (tonumber(h[3]) or now_ms() / 1000) * 1000) / DAY_MS)
  local account, whose = P .. 'spend:' .. string.format('%.0f', day), ' ' .. (h[1] or '') .. ' ' .. batch .. ' ' .. model
  local function add(name, by) redis.call('HINCRBY', account, name .. whose, by) end
  if PAID[was] then add(was, 0 - price) end
  if PAID[bucket] then add(bucket, price) end
  local videos = (PAID[bucket] and 1 or 0) - (PAID[was] and 1 or 0)
  if videos ~= 0 then add('videos', videos) end
  if videos ~= 0 and not tonumber(h[4]) then add('unpriced', videos) end
  redis.call('PEXPIREAT', account, string.format('%.0f', day * DAY_MS + SPEND_KEPT_MS))
end

-- Its money stays in the days' totals; should its receipts be found again, they are not booked once more.
local function keep_booked(batch, now)
  redis.call('ZADD', P .. 'booked', now, batch)
  redis.call('ZREMRANGEBYSCORE', P .. 'booked', '-inf', now - SPEND_KEPT_MS)
end

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
  if PAID[was] or PAID[bucket] then
    local own = item_key(batch, id)
    if PAID[was] then redis.call('HINCRBY', own, was, 0 - price) end
    if PAID[bucket] then redis.call('HINCRBY', own, bucket, price) end
    book_spend(batch, id, key, was, bucket, price)
    -- A job that is found after its batch has ended: what the results say it cost is not what it cost any more.
    local b = redis.call('HMGET', batch_key(batch), 'state', 'forgetting')
    if b[1] == 'final' and not b[2] then report_anew(batch, now_ms()) end
  end
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

