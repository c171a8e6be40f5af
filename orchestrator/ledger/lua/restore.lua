-- Writes rows of a batch that only the archive knows any more: each is archived, as its receipt says.
--
-- ARGV  2 batch, 3 … one JSON row each, a key's revisions in their order: {key, fingerprint, spec = "json", model,
--       seconds, place, found = {item = {…}, attempt = {…}}, periods = as `shared/receipts.lua` has them}
-- Returns {how many were added, how many were here}. Rows that are here stay as they are.

local batch = ARGV[2]
local bkey, now = batch_key(batch), now_ms()
local added, known = 0, 0

local function add(id, row)
  row.price = row.found.attempt.price
  redis.call('HSET', item_key(batch, id), 'state', 'waiting', 'v', 1, 'attempt', 0, 'made', 0, 'lane', '', 'priority', 0,
             'place', row.place, 'fingerprint', row.fingerprint, 'seconds', row.seconds, 'price', row.price,
             'model', row.model)
  redis.call('HSET', P .. 'specs:' .. batch, id, row.spec)
  redis.call('ZADD', P .. 'order:' .. batch, row.place, id)
  redis.call('HINCRBY', bkey, 'total', 1)
  redis.call('HINCRBY', bkey, 'n:waiting', 1)
  redis.call('HINCRBY', bkey, 'estimated', tonumber(row.price) or 0)
  note_print(row.fingerprint, batch .. '/' .. id)
  take_receipt(batch, id, row, now)
  added = added + 1
end

for a = 3, #ARGV do
  local row = cjson.decode(ARGV[a])
  local first = item_key(batch, row.key)
  local f = redis.call('HMGET', first, 'latest', 'revisions')
  local revisions = tonumber(f[2] or 0)
  if not f[1] then
    add(row.key, row)
    redis.call('HSET', first, 'latest', row.key, 'revisions', 1)
    redis.call('HINCRBY', bkey, 'keys', 1)
  elseif revision_with(batch, row.key, revisions, row.fingerprint) then
    known = known + 1
  else
    local id = row.key .. '~' .. (revisions + 1)
    add(id, row)
    redis.call('HSET', first, 'revisions', revisions + 1)
    -- What still moves is wanted: somebody submitted it.
    if not STILL_MOVES[redis.call('HGET', item_key(batch, f[1]), 'state')] then redis.call('HSET', first, 'latest', id) end
  end
end
-- Its results tell of them too; a batch that is being loaded, or restored as a whole, is sealed afterwards.
if added > 0 then
  reopen_batch(batch)
  end_batch_when_settled(batch, now)
end
return {added, known}
