-- Adds a chunk of a manifest's rows to a batch; rows that are there already change only what changed.
--
-- ARGV  2 batch, 3 … one JSON row each: {key, fingerprint, spec = "json", model, priority, place, seconds,
--       pin = the only deployment that may make it or "",
--       price = micro-dollars or "", source = key of the item it is made from or "",
--       again = 1 where a person pays again for what receipts and lists tell of, or absent,
--       twin = "BATCH/ITEM" whose video shall be taken, or absent,
--       found = what its receipt in the archive says, or absent: {item = {…}, attempt = {…}}; periods = as
--       `shared/receipts.lua` has them}
-- Returns {new, changed, unchanged, updated}: `changed` rows were replaced while waiting or added as KEY~n,
-- `updated` ones differ only in labels, priority or pin. nil when the batch was cancelled since it was opened: then
-- nothing was written.
--
-- The first item of a key knows which revision is wanted (`latest`) and how many there ever were (`revisions`).

local batch = ARGV[2]
if redis.call('HEXISTS', batch_key(batch), 'cancel') == 1 then return nil end
local bkey, order, specs = batch_key(batch), P .. 'order:' .. batch, P .. 'specs:' .. batch
local now = now_ms()
local counts = {new = 0, changed = 0, unchanged = 0, updated = 0}

-- Lets go of the source of an item's former content.
local function detach(id)
  local source = redis.call('HGET', item_key(batch, id), 'source')
  if source then
    redis.call('SREM', remixes_of(batch, source), id)
    redis.call('SREM', abandoned_key(batch, source), id)
  end
  redis.call('HDEL', item_key(batch, id), 'source', 'source_id', 'twin', 'pin', 'again')
end

-- Finds what an item is made from: in a lane of its source's deployment when that succeeded, parked (no lane) until
-- then. Returns the lane, and the state of a source that ended without a video.
local function attach(id, source_key)
  local source = redis.call('HGET', item_key(batch, source_key), 'latest') or source_key
  local s = redis.call('HMGET', item_key(batch, source), 'state', 'deployment', 'remote_id')
  redis.call('HSET', item_key(batch, id), 'source', source)
  if ENDED[s[1]] then return '', s[1] end
  redis.call('SADD', remixes_of(batch, source), id)
  if s[1] ~= 'archiving' and s[1] ~= 'archived' then return '', nil end
  redis.call('HSET', item_key(batch, id), 'source_id', s[3])
  return '@' .. s[2], nil
end

-- Where a row waits that is made from nothing else.
local function lane_of(row) return row.pin ~= '' and '@' .. row.pin or row.model end

local function note_pin(id, row)
  if row.pin ~= '' then redis.call('HSET', item_key(batch, id), 'pin', row.pin) end
end

-- The state of the item whose video a row shall take; nil when that has come to nothing meanwhile.
local function state_of_twin(row)
  if not row.twin or row.source ~= '' then return nil end    -- a remix is the same only where its source is
  local t = redis.call('HMGET', P .. 'item:' .. row.twin, 'state', 'fingerprint')
  return t[2] == row.fingerprint and not ENDED[t[1]] and t[1] or nil
end

local function abandon(id, ended)
  redis.call('HSET', item_key(batch, id), 'reason', 'source_' .. ended)
  redis.call('SADD', abandoned_key(batch, redis.call('HGET', item_key(batch, id), 'source')), id)
  move(batch, id, 'waiting', TABLE.abandoned.waiting, now)
end

-- Writes a row's content and queues it; it fails at once when its source ended without a video.
local function place(id, row)
  local lane, ended, twin = lane_of(row), nil, state_of_twin(row)
  if twin or row.found then
    lane = ''
  elseif row.source ~= '' then
    lane, ended = attach(id, row.source)
  end
  redis.call('HSET', item_key(batch, id), 'lane', lane, 'priority', row.priority, 'place', row.place,
             'fingerprint', row.fingerprint, 'seconds', row.seconds, 'price', row.price, 'model', row.model)
  note_pin(id, row)
  if row.again then redis.call('HSET', item_key(batch, id), 'again', 1) end
  redis.call('HSET', specs, id, row.spec)
  note_print(row.fingerprint, batch .. '/' .. id)
  enqueue(batch, id, true)
  if row.found then
    take_receipt(batch, id, row, now)
  elseif twin then
    park(batch, id, row.twin)
    if twin == 'archived' then link(batch, id, row.twin, now) end
  elseif ended then
    abandon(id, ended)
  end
end

local function count(total, price)
  redis.call('HINCRBY', bkey, 'total', total)
  redis.call('HINCRBY', bkey, 'n:waiting', total)
  redis.call('HINCRBY', bkey, 'estimated', total * (tonumber(price) or 0) + 0)    -- no -0
end

local function add(id, row)
  redis.call('HSET', item_key(batch, id), 'state', 'waiting', 'v', 1, 'attempt', 0, 'made', 0)
  redis.call('ZADD', order, row.place, id)
  count(1, row.price)
  place(id, row)
end

-- Takes back a revision that nobody wants any more and for which nothing was ever sent.
local function remove(id)
  local key = item_key(batch, id)
  if redis.call('HEXISTS', key, 'paused') == 1 then redis.call('HINCRBY', bkey, 'paused_items', -1) end
  unqueue(batch, id)
  hand_on(batch, id, false, now)
  detach(id)
  drop_print(redis.call('HGET', key, 'fingerprint'), batch .. '/' .. id)
  count(-1, redis.call('HGET', key, 'price'))
  redis.call('ZREM', order, id)
  redis.call('HDEL', specs, id)
  redis.call('DEL', key)
end

local function replace(id, row)
  local key = item_key(batch, id)
  local old = tonumber(redis.call('HGET', key, 'price')) or 0
  unqueue(batch, id)
  hand_on(batch, id, false, now)
  detach(id)
  drop_print(redis.call('HGET', key, 'fingerprint'), batch .. '/' .. id)
  redis.call('HINCRBY', key, 'v', 1)
  redis.call('HINCRBY', bkey, 'estimated', (tonumber(row.price) or 0) - old)
  place(id, row)
end

-- Remixes of a revision that was taken back are made from the one that is wanted now.
local function rehang(remixes, key)
  for _, id in ipairs(remixes) do
    local lane, ended = attach(id, key)
    redis.call('HSET', item_key(batch, id), 'lane', lane)
    enqueue(batch, id)
    if ended then abandon(id, ended) end
  end
end

-- Another deployment shall make it, or any. What waits goes there, and what comes back later will; a remix is made
-- where its source is, and what takes another's video waits in no lane.
local MADE = {rendering = true, archiving = true, archived = true}
local function repin(id, row, lane, state)
  local key = item_key(batch, id)
  local i = redis.call('HMGET', key, 'source', 'price')
  redis.call('HDEL', key, 'pin')
  note_pin(id, row)
  if lane ~= '' and not i[1] then redis.call('HSET', key, 'lane', lane_of(row)) end
  if MADE[state] then return end
  redis.call('HINCRBY', bkey, 'estimated', (tonumber(row.price) or 0) - (tonumber(i[2]) or 0))
  redis.call('HSET', key, 'price', row.price)
end

-- Labels, priority and pin change without a render.
local function update(id, row)
  local i = redis.call('HMGET', item_key(batch, id), 'priority', 'state', 'lane', 'pin')
  if redis.call('HGET', specs, id) == row.spec and i[1] == tostring(row.priority) then
    counts.unchanged = counts.unchanged + 1
    return
  end
  local queued = i[2] == 'waiting' and i[3] ~= ''
  if queued then unqueue(batch, id) end
  redis.call('HSET', item_key(batch, id), 'priority', row.priority)
  redis.call('HSET', specs, id, row.spec)
  if (i[4] or '') ~= row.pin then repin(id, row, i[3], i[2]) end
  if queued then enqueue(batch, id) end
  counts.updated = counts.updated + 1
end

local function waits_unsent(id)
  local i = redis.call('HMGET', item_key(batch, id), 'state', 'made')
  return i[1] == 'waiting', i[2] == '0'
end

for a = 3, #ARGV do
  local row = cjson.decode(ARGV[a])
  local first = item_key(batch, row.key)
  local f = redis.call('HMGET', first, 'latest', 'revisions')
  local latest, revisions = f[1], tonumber(f[2] or 0)
  if not latest then
    add(row.key, row)
    redis.call('HSET', first, 'latest', row.key, 'revisions', 1)
    redis.call('HINCRBY', bkey, 'keys', 1)
    counts.new = counts.new + 1
  else
    local same = revision_with(batch, row.key, revisions, row.fingerprint)
    local waits, unsent = waits_unsent(latest)
    if same then
      redis.call('HSET', first, 'latest', same)
      if same ~= latest and waits and unsent then
        local remixes = redis.call('SMEMBERS', remixes_of(batch, latest))
        remove(latest)
        redis.call('DEL', remixes_of(batch, latest))
        rehang(remixes, row.key)
      end
      update(same, row)
    elseif waits then
      replace(latest, row)
      counts.changed = counts.changed + 1
    else
      local id = row.key .. '~' .. (revisions + 1)
      add(id, row)
      redis.call('HSET', first, 'latest', id, 'revisions', revisions + 1)
      counts.changed = counts.changed + 1
    end
  end
end
return {counts.new, counts.changed, counts.unchanged, counts.updated}
