-- Records that a remote id belongs to an attempt, and moves the item to rendering where that is possible.
-- A real answer is believed whatever was decided meanwhile: late evidence is never thrown away.
--
-- ARGV  2 batch, 3 item, 4 attempt, 5 remote id, 6 how: answer, prompt or time,
--       7 version (only an adoption needs it; '' for an answer), 8 event: accepted or adopted,
--       9 {attempt = {field = value}, due_in_ms}
-- Returns {'accepted', version}; {'taken', owner} when the id belongs to another attempt;
-- {'stale', version} for an adoption that comes too late; {'orphan', 0} when the item cannot take it: it has
-- another remote job by now, or was changed since.

local batch, id, n, remote_id, how = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local row, patch = TABLE[ARGV[8]], cjson.decode(ARGV[9])
local key, akey, me = item_key(batch, id), attempt_key(batch, id, n), attempt_ref(batch, id, n)
local now = now_ms()
local a = redis.call('HMGET', akey, 'deployment', 'scope', 'fingerprint', 'intent_at')
local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'remote_id', 'deployment', 'fingerprint')
local state, current = i[1], tonumber(i[3] or 0)
if not a[2] then return {'orphan', 0} end                      -- the batch was forgotten
if ARGV[7] ~= '' and (i[2] ~= ARGV[7] or not row[state]) then return {'stale', tonumber(i[2] or 0)} end
if current == n and i[4] == remote_id then return {'accepted', tonumber(i[2])} end

-- An id is taken back from one who only guessed that it was his, unless he has its video already: his outcome is
-- unknown again, and reconcile looks at once.
local function take_back(owner)
  local obatch, oid, on = string.match(owner, '^([^/]+)/(.+)#(%d+)$')
  local oakey, okey = attempt_key(obatch, oid, on), item_key(obatch, oid)
  local o = redis.call('HMGET', okey, 'state', 'attempt', 'deployment')
  local back = TABLE.disowned[o[1]]
  if how ~= 'answer' or redis.call('HGET', oakey, 'adopted') == 'answer' or not back or o[2] ~= on then
    return false
  end
  settle(obatch, oid, on, 'unknown')
  move(obatch, oid, o[1], back, now)
  redis.call('HDEL', oakey, 'remote_id', 'adopted')
  redis.call('HDEL', okey, 'remote_id', 'expires_at', 'content_id')
  redis.call('ZADD', open_key(o[3]), now, owner)
  return true
end

local ids = P .. 'remote:' .. a[2]
local owner = redis.call('HGET', ids, remote_id)
-- What an earlier attempt of this item left as an orphan is the item's own, once its newest create is in doubt.
local orphan = a[2] .. ' ' .. remote_id
local left = redis.call('HGET', P .. 'orphans', orphan)
if ARGV[7] ~= '' and left and string.match(left, '^(.+)#%d+$') == batch .. '/' .. id then
  redis.call('HDEL', P .. 'orphans', orphan)
elseif owner and owner ~= me and not take_back(owner) then
  return {'taken', owner}
end
redis.call('HSET', ids, remote_id, me)
local answered = how == 'answer' and a[4]
if answered then learn(a[1], 'create', now - tonumber(a[4])) end
set_fields(akey, patch.attempt)
redis.call('HSET', akey, 'remote_id', remote_id, 'adopted', how, 'accepted_at', now)
local known = P .. 'known:' .. a[2]
redis.call('ZADD', known, tonumber(patch.attempt.created_at) or now / 1000, remote_id)
redis.call('ZREMRANGEBYRANK', known, 0, -KNOWN_MOST - 1)
settle(batch, id, n, 'unknown')

-- Decided to send it again, but that was not done yet: there is no need to.
-- Cancelled, since nothing was known to be sent: it is paid for all the same, so its video is waited for.
local called_off = state == 'cancelled' and not i[4]
local unsent_again = current > n and (state == 'admitted' or state == 'waiting' or called_off)
local same_order = not a[3] or a[3] == i[6]
local open_to_it = row[state] and (state ~= 'cancelled' or called_off)
if not open_to_it or not same_order or not (current == n or unsent_again) then
  redis.call('HSET', P .. 'orphans', orphan, me)
  return {'orphan', 0}
end
if unsent_again and state == 'admitted' then
  settle(batch, id, current, 'none')
  redis.call('ZREM', open_key(i[5]), attempt_ref(batch, id, current))
end
redis.call('HSET', key, 'attempt', n, 'deployment', a[1], 'remote_id', remote_id)
redis.call('HDEL', key, 'reason', 'message')
reopen_batch(batch)
local version = move(batch, id, state, row[state], now)
redis.call('ZADD', open_key(a[1]), string.format('%.0f', now + patch.due_in_ms), me)
redis.call('HDEL', P .. 'deployment:' .. a[1], 'strikes')
if answered then heed_accepted(a[1], a[4]) end
prove(P .. 'deployment:' .. a[1], how, me)
return {'accepted', version}
