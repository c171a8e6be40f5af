-- What is known of equal content, across batches; loaded behind _ledger.lua, which says what a move of one item means
-- for the others.

-- Which items have a content, by a part of its fingerprint: what was ordered under another name is known again.
local function print_field(fingerprint) return string.sub(fingerprint, 4, 19) end

local function note_print(fingerprint, ref)
  local prints, field = P .. 'prints', print_field(fingerprint)
  local refs = redis.call('HGET', prints, field)
  if refs and string.find(' ' .. refs .. ' ', ' ' .. ref .. ' ', 1, true) then return end
  redis.call('HSET', prints, field, refs and refs .. ' ' .. ref or ref)
end

local function drop_print(fingerprint, ref)
  local prints, field = P .. 'prints', print_field(fingerprint or '')
  local left = {}
  for each in string.gmatch(redis.call('HGET', prints, field) or '', '%S+') do
    if each ~= ref then left[#left + 1] = each end
  end
  if #left > 0 then redis.call('HSET', prints, field, table.concat(left, ' ')) else redis.call('HDEL', prints, field) end
end

-- The newest revision of a key that has this content, or nil.
local function revision_with(batch, key, revisions, fingerprint)
  for n = revisions, 1, -1 do
    local id = n == 1 and key or key .. '~' .. n
    if redis.call('HGET', item_key(batch, id), 'fingerprint') == fingerprint then return id end
  end
end

-- Takes an archived video of another batch for an item that waits: its receipt is all that is left to write.
local function link(batch, id, source, now)
  local key, bkey = item_key(batch, id), batch_key(batch)
  local sbatch, sid = string.match(source, '^([^/]+)/(.+)$')
  local s = redis.call('HMGET', item_key(sbatch, sid), 'file', 'deployment', 'remote_id')
  local place = string.match(s[1], '^%.%./(.+)$') or sbatch .. '/' .. s[1]
  redis.call('HINCRBY', bkey, 'estimated', 0 - (tonumber(redis.call('HGET', key, 'price')) or 0))
  redis.call('HSET', key, 'price', 0, 'reused', place, 'deployment', s[2], 'remote_id', s[3])
  move(batch, id, 'waiting', TABLE.linked.waiting, now)
end

-- An item ended for which others wait, since they are the same: they take its video, or are rendered themselves.
hand_on = function(batch, id, to, now)
  local source = batch .. '/' .. id
  for _, ref in ipairs(redis.call('SMEMBERS', P .. 'links:' .. source)) do
    local obatch, oid = string.match(ref, '^([^/]+)/(.+)$')
    if to == 'archived' then
      link(obatch, oid, source, now)
    else
      unpark(obatch, oid)
      redis.call('HSET', item_key(obatch, oid), 'lane', redis.call('HGET', item_key(obatch, oid), 'model'))
      enqueue(obatch, oid)
    end
  end
end
