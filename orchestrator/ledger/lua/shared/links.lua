-- What is known of equal content, across batches; loaded behind shared/ledger.lua, which says what a move of one item means
-- for the others.

-- Which items have a content, by a part of its fingerprint: what was ordered under another name is known again. Nearly
-- every content has one item, named in the hash `prints`; where there are more, that says '*' and a set has them.
local function print_field(fingerprint) return string.sub(fingerprint or '', 4, 19) end
local function same_key(field) return P .. 'same:' .. field end

local function note_print(fingerprint, ref)
  local prints, field = P .. 'prints', print_field(fingerprint)
  local first = redis.call('HGET', prints, field)
  if not first then
    redis.call('HSET', prints, field, ref)
  elseif first ~= ref then
    if first ~= '*' then redis.call('SADD', same_key(field), first) end
    redis.call('SADD', same_key(field), ref)
    redis.call('HSET', prints, field, '*')
  end
end

local function drop_print(fingerprint, ref)
  local prints, field = P .. 'prints', print_field(fingerprint)
  local first = redis.call('HGET', prints, field)
  if first == '*' then redis.call('SREM', same_key(field), ref) end
  if first == ref or (first == '*' and redis.call('EXISTS', same_key(field)) == 0) then
    redis.call('HDEL', prints, field)
  end
end

local function items_with(fingerprint)
  local field = print_field(fingerprint)
  local first = redis.call('HGET', P .. 'prints', field)
  if first ~= '*' then return {first or nil} end
  local refs = redis.call('SMEMBERS', same_key(field))
  table.sort(refs)
  return refs
end

-- The newest revision of a key that has this content, or nil.
local function revision_with(batch, key, revisions, fingerprint)
  for n = revisions, 1, -1 do
    local id = n == 1 and key or key .. '~' .. n
    if redis.call('HGET', item_key(batch, id), 'fingerprint') == fingerprint then return id end
  end
end

-- Lets an item wait for the same video of another batch, outside every queue.
local function park(batch, id, source)
  redis.call('HSET', item_key(batch, id), 'lane', '', 'twin', source)
  redis.call('HSET', P .. 'parked:' .. batch, id, source)
  redis.call('SADD', P .. 'links:' .. source, batch .. '/' .. id)
end

-- Takes an archived video of another batch for an item that waits: its receipt is all that is left to write.
local function link(batch, id, source, now)
  local key, bkey = item_key(batch, id), batch_key(batch)
  local sbatch, sid = string.match(source, '^([^/]+)/(.+)$')
  local s = redis.call('HMGET', item_key(sbatch, sid), 'file', 'deployment', 'remote_id')
  local place = string.match(s[1], '^%.%./(.+)$') or sbatch .. '/' .. s[1]
  redis.call('HINCRBY', bkey, 'estimated', 0 - (tonumber(redis.call('HGET', key, 'price')) or 0))
  redis.call('HSET', key, 'listed', redis.call('HGET', key, 'price') or '')
  redis.call('HSET', key, 'price', 0, 'reused', place, 'deployment', s[2], 'remote_id', s[3])
  move(batch, id, 'waiting', TABLE.linked.waiting, now)
end

-- Whether a person keeps an item, or its whole batch, from being sent.
local function is_paused(ref)
  return redis.call('HEXISTS', P .. 'item:' .. ref, 'paused') == 1
    or redis.call('HEXISTS', batch_key(string.match(ref, '^([^/]+)')), 'paused_at') == 1
end

-- An item is archived, or will not be, for which others wait, since they are the same. They take its video; or the
-- first of them is rendered itself, and the others wait for that one: rather one that may be sent now.
hand_on = function(batch, id, archived, now)
  local source, heir = batch .. '/' .. id, nil
  local refs = redis.call('SMEMBERS', P .. 'links:' .. source)
  local paused = {}
  for _, ref in ipairs(refs) do paused[ref] = not archived and is_paused(ref) end
  table.sort(refs, function(a, b)
    if paused[a] ~= paused[b] then return paused[b] end
    return a < b
  end)
  for _, ref in ipairs(refs) do
    local obatch, oid = string.match(ref, '^([^/]+)/(.+)$')
    if cancel_of(obatch, oid) then
      call_off(obatch, oid, 'waiting', 'cancelled', now)
    elseif archived then
      link(obatch, oid, source, now)
    else
      unpark(obatch, oid)
      if heir then
        park(obatch, oid, heir)
      else
        heir = ref
        local other = item_key(obatch, oid)
        local own = redis.call('HMGET', other, 'pin', 'model')
        redis.call('HSET', other, 'lane', own[1] and '@' .. own[1] or own[2])
        redis.call('HDEL', other, 'twin')
        enqueue(obatch, oid)
      end
    end
  end
end
