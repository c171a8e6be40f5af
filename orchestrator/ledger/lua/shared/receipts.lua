-- What a receipt in the archive tells the ledger; loaded behind shared/money.lua.

local BUDGETS_KEPT_MS = 100 * 86400000    -- as `admit.lua` keeps them

-- The budgets that an attempt is charged to. That of a batch whose money was booked before it was forgotten stands there.
local function charge_to(batch, akey, periods, now)
  local ids = {}
  for _, period in ipairs(not redis.call('ZSCORE', P .. 'booked', batch) and periods or {}) do
    if now < period[2] then
      ids[#ids + 1] = period[1]
      redis.call('HINCRBY', budget_key(period[1]), 'confirmed', 0)
      redis.call('PEXPIREAT', budget_key(period[1]), string.format('%.0f', period[2] + BUDGETS_KEPT_MS))
    end
  end
  if ids[1] then redis.call('HSET', akey, 'budgets', table.concat(ids, ' ')) end
end

-- An item that waits, whose receipt stands in the archive: it was paid for in an attempt that the ledger does not know.
-- row: {fingerprint, price = what it could have cost, found = {item = {…}, attempt = {…}}; periods = {{id, until}, …},
--       the budgets of day and month that it was paid from and that the ledger has forgotten, or absent}
local function take_receipt(batch, id, row, now)
  local key, paper = item_key(batch, id), row.found.attempt
  local n = tonumber(redis.call('HGET', key, 'made')) + 1
  local akey = attempt_key(batch, id, n)
  set_fields(akey, paper)
  redis.call('HSET', akey, 'money', 'none', 'fingerprint', row.fingerprint)
  charge_to(batch, akey, row.periods, now)
  if paper.scope ~= '' then
    redis.call('HSETNX', P .. 'remote:' .. paper.scope, paper.remote_id, attempt_ref(batch, id, n))
  end
  set_fields(key, row.found.item)
  -- What it did cost takes the place of what it could have cost.
  redis.call('HINCRBY', batch_key(batch), 'estimated', (tonumber(paper.price) or 0) - (tonumber(row.price) or 0))
  redis.call('HSET', key, 'price', paper.price, 'attempt', n, 'made', n, 'deployment', paper.deployment,
             'remote_id', paper.remote_id)
  settle(batch, id, n, 'confirmed')
  move(batch, id, 'waiting', TABLE.found.waiting, now)
end
