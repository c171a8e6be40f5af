-- Records that a remote id belongs to an attempt, and moves the item to rendering where that is possible.
-- A real answer is believed whatever was decided meanwhile: late evidence is never thrown away.
--
-- ARGV  2 batch, 3 item, 4 attempt, 5 remote id, 6 how: answer, prompt or time,
--       7 version (only an adoption needs it; '' for an answer), 8 rows of the table: {accepted, disowned},
--       9 {attempt = {field = value}, due_in_ms}
-- Returns {'accepted', version}; {'taken', owner} when the id belongs to another attempt;
-- {'stale', version} for an adoption that comes too late; {'orphan', 0} when the item cannot take it.

local batch, id, n, remote_id, how = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local rows, patch = cjson.decode(ARGV[8]), cjson.decode(ARGV[9])
local row = rows.accepted
local key, akey, me = item_key(batch, id), attempt_key(batch, id, n), attempt_ref(batch, id, n)
local now = now_ms()
local a = redis.call('HMGET', akey, 'deployment', 'scope')
local i = redis.call('HMGET', key, 'state', 'v', 'attempt')
local state, current = i[1], tonumber(i[3])
if ARGV[7] ~= '' and (i[2] ~= ARGV[7] or not row[state]) then return {'stale', tonumber(i[2] or 0)} end

local ids = P .. 'remote:' .. a[2]
local owner = redis.call('HGET', ids, remote_id)
if owner and owner ~= me then
  local obatch, oid, on = string.match(owner, '^([^/]+)/(.+)#(%d+)$')
  local oakey = attempt_key(obatch, oid, on)
  if how ~= 'answer' or redis.call('HGET', oakey, 'adopted') == 'answer' then return {'taken', owner} end
  -- The other one only guessed: its outcome is unknown again, and reconcile looks at once.
  redis.call('HDEL', oakey, 'remote_id', 'adopted')
  local o = redis.call('HMGET', item_key(obatch, oid), 'state', 'attempt', 'deployment')
  if rows.disowned[o[1]] and o[2] == on then
    move(obatch, oid, o[1], rows.disowned[o[1]], now)
    redis.call('HDEL', item_key(obatch, oid), 'remote_id')
    redis.call('HSET', item_key(obatch, oid), 'unknown_since', now)
    redis.call('ZADD', open_key(o[3]), now, owner)
  end
end
redis.call('HSET', ids, remote_id, me)
set_fields(akey, patch.attempt)
redis.call('HSET', akey, 'remote_id', remote_id, 'adopted', how, 'accepted_at', now)

local created = tonumber(patch.attempt.created_at) or 0
if created > tonumber(redis.call('HGET', P .. 'newest:' .. a[2], 'created_at') or 0) then
  redis.call('HSET', P .. 'newest:' .. a[2], 'remote_id', remote_id, 'created_at', tostring(created))
end

local mine = current == n and row[state]
local displaced = state == 'admitted' and current == n + 1    -- decided to send again, not sent yet
if current == n and redis.call('HGET', key, 'remote_id') == remote_id then
  return {'accepted', tonumber(i[2])}
end
if not mine and not displaced then
  redis.call('HSET', P .. 'orphans', a[2] .. ' ' .. remote_id, me)
  return {'orphan', 0}
end
if displaced then
  settle(batch, id, current, 'none')
  redis.call('ZREM', open_key(redis.call('HGET', key, 'deployment')), attempt_ref(batch, id, current))
end
settle(batch, id, n, 'unknown')
redis.call('HSET', key, 'attempt', n, 'deployment', a[1], 'remote_id', remote_id)
redis.call('HDEL', key, 'unknown_since', 'reason', 'message')
local bkey = batch_key(batch)
if redis.call('HGET', bkey, 'state') == 'final' then
  redis.call('HSET', bkey, 'state', 'running')
  redis.call('HDEL', bkey, 'final_at', 'reported_at')
  redis.call('ZREM', P .. 'reports', batch)
end
local version = move(batch, id, state, row[state], now)
redis.call('ZADD', open_key(a[1]), string.format('%.0f', now + patch.due_in_ms), me)
if how == 'answer' then redis.call('HDEL', P .. 'deployment:' .. a[1], 'strikes', 'probation') end
return {'accepted', version}
