-- Adds a chunk of a manifest's rows to a batch; rows that are there already change only what changed.
--
-- ARGV  2 batch, 3 … one JSON row each: {key, fingerprint, spec = "json", model, priority, place, seconds,
--       price = micro-dollars or "", source = key of the item it is made from or ""}
-- Returns {new, changed, unchanged, updated}: `changed` rows were replaced while waiting or added as KEY~n,
-- `updated` ones differ only in labels or priority.

local batch = ARGV[2]
local bkey = batch_key(batch)
local now = now_ms()
local counts = {new = 0, changed = 0, unchanged = 0, updated = 0}

local ENDED = {failed = true, cancelled = true, expired = true, held = true}

-- Writes a row's content. Returns the state of its source where that ended without a video.
local function write(id, row)
  local lane, source, ended = row.model, row.source, nil
  if source ~= '' then
    source = redis.call('HGET', item_key(batch, source), 'latest') or source
    local s = redis.call('HMGET', item_key(batch, source), 'state', 'deployment', 'remote_id')
    if s[1] == 'archiving' or s[1] == 'archived' then
      lane = '@' .. s[2]
      redis.call('HSET', item_key(batch, id), 'source_id', s[3])
    else
      lane = ''
      if ENDED[s[1]] then ended = s[1] end
      redis.call('SADD', P .. 'remixes:' .. batch .. '/' .. source, id)
    end
  end
  redis.call('HSET', item_key(batch, id), 'lane', lane, 'priority', row.priority, 'place', row.place,
             'fingerprint', row.fingerprint, 'seconds', row.seconds, 'price', row.price, 'model', row.model)
  redis.call('HSET', P .. 'specs:' .. batch, id, row.spec)
  return ended
end

local function place(id, source_ended)
  enqueue(batch, id)
  if source_ended then
    redis.call('HSET', item_key(batch, id), 'reason', 'source_' .. source_ended)
    move(batch, id, 'waiting', 'failed', now)
  end
end

local function add(id, row)
  local source_ended = write(id, row)
  redis.call('HSET', item_key(batch, id), 'state', 'waiting', 'v', 1, 'attempt', 0)
  redis.call('ZADD', P .. 'order:' .. batch, row.place, id)
  redis.call('HINCRBY', bkey, 'total', 1)
  redis.call('HINCRBY', bkey, 'n:waiting', 1)
  redis.call('HINCRBY', bkey, 'estimated', tonumber(row.price) or 0)
  place(id, source_ended)
end

-- The revision of a key that already has this content, or nil.
local function revision_with(key, latest, fingerprint)
  local last = tonumber(string.match(latest, '~(%d+)$') or 1)
  for n = last, 1, -1 do
    local id = n == 1 and key or key .. '~' .. n
    if redis.call('HGET', item_key(batch, id), 'fingerprint') == fingerprint then return id, last end
  end
  return nil, last
end

for a = 3, #ARGV do
  local row = cjson.decode(ARGV[a])
  local first = item_key(batch, row.key)
  local latest = redis.call('HGET', first, 'latest')
  if not latest then
    add(row.key, row)
    redis.call('HSET', first, 'latest', row.key)
    counts.new = counts.new + 1
  else
    local same, last = revision_with(row.key, latest, row.fingerprint)
    local state = redis.call('HGET', item_key(batch, latest), 'state')
    if same then
      local i = redis.call('HMGET', item_key(batch, same), 'priority', 'state')
      if redis.call('HGET', P .. 'specs:' .. batch, same) == row.spec and i[1] == tostring(row.priority) then
        counts.unchanged = counts.unchanged + 1
      else
        if i[2] == 'waiting' then unqueue(batch, same) end
        redis.call('HSET', item_key(batch, same), 'priority', row.priority)
        redis.call('HSET', P .. 'specs:' .. batch, same, row.spec)
        if i[2] == 'waiting' then enqueue(batch, same) end
        counts.updated = counts.updated + 1
      end
    elseif state == 'waiting' then
      local old = tonumber(redis.call('HGET', item_key(batch, latest), 'price')) or 0
      unqueue(batch, latest)
      local source_ended = write(latest, row)
      redis.call('HINCRBY', item_key(batch, latest), 'v', 1)
      redis.call('HINCRBY', bkey, 'estimated', (tonumber(row.price) or 0) - old)
      place(latest, source_ended)
      counts.changed = counts.changed + 1
    else
      local id = row.key .. '~' .. (last + 1)
      add(id, row)
      redis.call('HSET', first, 'latest', id)
      counts.changed = counts.changed + 1
    end
  end
end
return {counts.new, counts.changed, counts.unchanged, counts.updated}
