-- What a receipt in the archive tells the ledger; loaded behind _money.lua.

-- An item that waits, whose receipt stands in the archive: it was paid for in an attempt that the ledger does not know.
-- row: {fingerprint, price = what it could have cost, found = {item = {…}, attempt = {…}}}
local function take_receipt(batch, id, row, now)
  local key, paper = item_key(batch, id), row.found.attempt
  local n = tonumber(redis.call('HGET', key, 'made')) + 1
  local akey = attempt_key(batch, id, n)
  set_fields(akey, paper)
  redis.call('HSET', akey, 'money', 'none', 'fingerprint', row.fingerprint)
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
