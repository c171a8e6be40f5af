-- Items of an older ledger whose videos were archived since: their receipts stand in the archive, so that nothing more
-- is sent, looked at or waited for.
--
-- ARGV  2 batch, 3 … one JSON row each: {id, fingerprint, found = {item = {…}, attempt = {…}}}
-- Returns how many are archived by that. One that has another content or another remote job by now stays as it is.

local batch, taken, now = ARGV[2], 0, now_ms()

-- Its create was sent: the receipt says what came of that attempt.
local function end_attempt(id, n, from, row)
  local akey, paper = attempt_key(batch, id, n), row.found.attempt
  local known = redis.call('HGET', akey, 'remote_id')
  if known and known ~= paper.remote_id then return 0 end
  local ids = P .. 'remote:' .. paper.scope
  if paper.scope ~= '' and redis.call('HSETNX', ids, paper.remote_id, attempt_ref(batch, id, n)) == 0
      and redis.call('HGET', ids, paper.remote_id) ~= attempt_ref(batch, id, n) then
    return 0
  end
  redis.call('HSET', akey, 'remote_id', paper.remote_id, 'adopted', paper.adopted, 'outcome', 'archived')
  settle(batch, id, n, 'confirmed')
  set_fields(item_key(batch, id), row.found.item)
  redis.call('HSET', item_key(batch, id), 'remote_id', paper.remote_id)
  redis.call('HDEL', item_key(batch, id), 'reason', 'message', 'billed')
  reopen_batch(batch)
  move(batch, id, from, TABLE.found[from], now)
  return 1
end

for a = 3, #ARGV do
  local row = cjson.decode(ARGV[a])
  local key = item_key(batch, row.id)
  local i = redis.call('HMGET', key, 'state', 'fingerprint', 'attempt', 'price')
  local state = i[1]
  if i[2] == row.fingerprint then
    if state == 'admitted' then
      settle(batch, row.id, i[3], 'none')
      move(batch, row.id, state, TABLE.returned[state], now)
      state = 'waiting'
    end
    if state == 'waiting' then
      row.price = i[4]
      take_receipt(batch, row.id, row, now)
      taken = taken + 1
    elseif TABLE.found[state] then
      taken = taken + end_attempt(row.id, i[3], state, row)
    end
  end
end
return taken
