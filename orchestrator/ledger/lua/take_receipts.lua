-- Items of an older ledger whose videos were archived since: their receipts stand in the archive, so that nothing more
-- is sent, looked at or waited for.
--
-- ARGV  2 batch, 3 … one JSON row each: {id, fingerprint, found = {item = {…}, attempt = {…}}, periods = as `shared/receipts.lua`
--       has them}
-- Returns how many are archived by that. One that has another content by now stays as it is; so does one whose remote job
-- is known by better evidence than the receipt's.

local batch, taken, now = ARGV[2], 0, now_ms()

-- It came to nothing, or will, and was made anew since: the receipt tells of an attempt that this ledger does not know.
local MADE_ANEW = {rendering = 'retried', archiving = 'retried', failed = 'revived', expired = 'revived',
                   cancelled = 'revived'}
local RANK = {time = 1, prompt = 2, hand = 3, answer = 4}
local function take_later(id, n, from, row)
  local key, akey, paper = item_key(batch, id), attempt_key(batch, id, n), row.found.attempt
  local a = redis.call('HMGET', akey, 'remote_id', 'adopted', 'money')
  local owner = redis.call('HGET', P .. 'remote:' .. paper.scope, paper.remote_id)
  local rank = RANK[paper.adopted] or RANK.answer
  if not MADE_ANEW[from] or owner or a[1] == paper.remote_id or rank < RANK[a[2] or 'time'] then return 0 end
  if a[3] == 'unknown' or a[3] == 'confirmed' then redis.call('HINCRBY', batch_key(batch), 'estimated', row.price or 0) end
  redis.call('HDEL', key, 'reason', 'message', 'billed', 'candidates', 'cancel', 'cancel_at', 'cancel_by', 'cancel_reason')
  redis.call('HSET', key, 'lane', '')
  reopen_batch(batch)
  move(batch, id, from, TABLE[MADE_ANEW[from]][from], now)
  take_receipt(batch, id, row, now)
  return 1
end

-- Its create was sent: the receipt says what came of that attempt.
local function end_attempt(id, n, from, row)
  local akey, paper = attempt_key(batch, id, n), row.found.attempt
  local known = redis.call('HGET', akey, 'remote_id')
  if known and known ~= paper.remote_id then return take_later(id, n, from, row) end
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
    row.price = tonumber(i[4])
    if state == 'waiting' then
      take_receipt(batch, row.id, row, now)
      taken = taken + 1
    elseif TABLE.found[state] then
      taken = taken + end_attempt(row.id, i[3], state, row)
    else
      taken = taken + take_later(row.id, i[3], state, row)
    end
  end
end
return taken
