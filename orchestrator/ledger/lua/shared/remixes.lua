-- What becomes of an item when the one that it is made from has moved.

-- A remix waits, outside every queue, for its source: it becomes admissible on the source's own deployment
-- when the source succeeds, and fails at once when the source ends in any other way.
follow = function(batch, id, to, now)
  local remixes = redis.call('SMEMBERS', remixes_of(batch, id))
  if #remixes == 0 then return end
  local source = redis.call('HMGET', item_key(batch, id), 'deployment', 'remote_id')
  for _, remix in ipairs(remixes) do
    local remix_key = item_key(batch, remix)
    local r = redis.call('HMGET', remix_key, 'state', 'lane')
    local after = TABLE.abandoned[r[1]]
    if ENDED[to] and after and cancel_of(batch, remix) then
      call_off(batch, remix, r[1], 'cancelled', now)
    elseif ENDED[to] and after then
      redis.call('HSET', remix_key, 'reason', 'source_' .. to)
      redis.call('SADD', abandoned_key(batch, id), remix)
      move(batch, remix, r[1], after, now)
      abandoned[#abandoned + 1] = remix
    elseif not ENDED[to] and r[1] == 'waiting' and r[2] == '' then
      redis.call('HSET', remix_key, 'lane', '@' .. source[1], 'source_id', source[2])
      enqueue(batch, remix)
    end
  end
end

-- A source that ended without a video may be made after all: what failed only for that waits for it again.
bring_back = function(batch, id, now)
  local left = abandoned_key(batch, id)
  for _, remix in ipairs(redis.call('SMEMBERS', left)) do
    local key = item_key(batch, remix)
    local r = redis.call('HMGET', key, 'state', 'reason')
    local back = TABLE.revived[r[1]]
    if back and string.match(r[2] or '', '^source_') then
      redis.call('HDEL', key, 'reason', 'message')
      redis.call('HSET', key, 'lane', '')
      redis.call('SADD', remixes_of(batch, id), remix)
      move(batch, remix, r[1], back, now)
      brought_back[#brought_back + 1] = remix
    end
  end
  redis.call('DEL', left)
end
