-- Records that a remote id belongs to an attempt, and moves the item to rendering where that is possible.
-- A real answer is believed whatever was decided meanwhile: late evidence is never thrown away.
--
-- ARGV  2 batch, 3 item, 4 attempt, 5 remote id, 6 how: answer, hand, prompt or time, the better evidence first,
--       7 version (all but a real answer need it; '' for that), 8 event: accepted, adopted or attached,
--       9 {attempt = {field = value}, due_in_ms, hides_prompts = what the answer says of the place, or absent,
--          place = {deployment, scope, fingerprint, price}: of an attempt that the ledger does not have, begin = true:
--          which is to be begun}
-- Returns {'accepted', version}; {'taken', owner} when the id belongs to another attempt;
-- {'stale', version} for what is decided too late; {'orphan', 0} when the item cannot take it: it has another remote job
-- by now, or was changed since. An orphan keeps its slot and is looked at until its job has ended (`watch.lua`).

local RANK = {time = 1, prompt = 2, hand = 3, answer = 4}
local batch, id, n, remote_id, how = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
local row, patch = TABLE[ARGV[8]], cjson.decode(ARGV[9])
local by_hand, decided = how == 'hand', ARGV[7] ~= ''
local key, akey, me = item_key(batch, id), attempt_key(batch, id, n), attempt_ref(batch, id, n)
local now = now_ms()
local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'remote_id', 'deployment', 'fingerprint', 'made', 'price')
local state, current = i[1], tonumber(i[3] or 0)
if decided and (i[2] ~= ARGV[7] or not row[state]) then return {'stale', tonumber(i[2] or 0)} end

-- An attempt that the ledger has lost is begun again from what its worker knows; of an item that is gone too, the audit
-- is told.
local a = redis.call('HMGET', akey, 'deployment', 'scope', 'fingerprint', 'intent_at', 'remote_id', 'adopted')
local place, begins = patch.place or {}, not a[2]
if begins and (not state or not place.scope or (decided and not patch.begin)) then
  if place.scope then redis.call('HSETNX', P .. 'orphans', place.scope .. ' ' .. remote_id, me) end
  return {'orphan', 0}
end
if begins then a = {place.deployment, place.scope, place.fingerprint, false, false, false} end
local deployment, scope = a[1], a[2]
if current == n and i[4] == remote_id and not (by_hand and row[state]) then
  if RANK[how] > RANK[a[6] or 'answer'] then redis.call('HSET', akey, 'adopted', how) end
  return {'accepted', tonumber(i[2])}
end

-- Decided to send it again, but that was not done yet: there is no need to.
-- Cancelled, since nothing was known to be sent: it is paid for all the same, so its video is waited for.
local called_off = state == 'cancelled' and not i[4]
local unsent = state == 'admitted' or state == 'waiting' or called_off
-- Its newest create is in doubt, and an earlier one has a job after all.
local in_doubt = decided and current > n and (state == 'creating' or state == 'held')
-- The job that it has was only guessed to be its own.
local corrected = i[4] and RANK[how] > RANK[a[6] or 'answer']
local takes = row[state] and (by_hand or not a[3] or a[3] == i[6]) and (state ~= 'cancelled' or called_off or by_hand)
  and (by_hand or in_doubt or (current ~= n and unsent) or (current == n and (unsent or not i[4] or corrected)))

local ids, orphans, orphan = P .. 'remote:' .. scope, P .. 'orphans', scope .. ' ' .. remote_id
local function parse(ref) return string.match(ref, '^([^/]+)/(.+)#(%d+)$') end

-- An id is taken back from one who only guessed, on less, that it was his, unless he has its video already: his outcome
-- is unknown again, and reconcile looks at once. Where it cannot be used here, what is the same order may keep it.
local function take_back(owner)
  local obatch, oid, on = parse(owner)
  local oakey, okey = attempt_key(obatch, oid, on), item_key(obatch, oid)
  local o = redis.call('HMGET', okey, 'state', 'attempt', 'deployment')
  local oa = redis.call('HMGET', oakey, 'adopted', 'fingerprint', 'scope', 'intent_at')
  local back = TABLE.disowned[o[1]]
  if RANK[how] <= RANK[oa[1] or 'answer'] or not back or o[2] ~= on or (not takes and oa[2] == a[3]) then
    return false
  end
  settle(obatch, oid, on, 'unknown')
  move(obatch, oid, o[1], back, now)
  redis.call('HDEL', oakey, 'remote_id', 'adopted')
  redis.call('HDEL', okey, 'remote_id', 'expires_at', 'content_id')
  redis.call('ZADD', open_key(o[3]), now, owner)
  redis.call('ZADD', asked_key(oa[3]), oa[4] or now, owner)
  return true
end

-- An orphan finds an item that takes it: whose it was has it no more, nor its price.
local function let_go(left)
  local obatch, oid, on = parse(left)
  local oakey = attempt_key(obatch, oid, on)
  local o = redis.call('HMGET', oakey, 'deployment', 'remote_id')
  redis.call('HDEL', orphans, orphan)
  redis.call('HDEL', oakey, 'orphan', 'orphan_id', 'orphan_status')
  if o[1] then redis.call('ZREM', open_key(o[1]), left) end
  if left == me or o[2] ~= remote_id then return end
  settle(obatch, oid, on, 'none')
  redis.call('HDEL', oakey, 'remote_id', 'adopted')
end

local owner, left = redis.call('HGET', ids, remote_id), redis.call('HGET', orphans, orphan)
local own = left and string.match(left, '^(.+)#%d+$') == batch .. '/' .. id
if left and takes and (by_hand or own or not owner) then
  let_go(left)
elseif owner and owner ~= me and not take_back(owner) then
  if not decided and not begins then settle(batch, id, n, 'unknown') end    -- a job of ours all the same
  return {'taken', owner}
end

if begins then
  redis.call('HSET', akey, 'deployment', deployment, 'scope', scope, 'price', place.price or i[8] or '', 'money', 'none',
             'budgets', '', 'fingerprint', place.fingerprint or i[6], 'admitted_at', now)
  redis.call('HSET', key, 'made', math.max(n, tonumber(i[7] or 0)))
end
local answered = how == 'answer' and not decided and a[4]
if answered then learn(deployment, 'create', now - tonumber(a[4])) end
if answered and patch.hides_prompts ~= nil then
  redis.call('HSET', P .. 'listing:' .. scope, 'answers_hide', patch.hides_prompts and 1 or 0)
end
local known = P .. 'known:' .. scope
redis.call('ZADD', known, tonumber(patch.attempt.created_at) or now / 1000, remote_id)
redis.call('ZREMRANGEBYRANK', known, 0, -KNOWN_MOST - 1)
settle(batch, id, n, 'unknown')

if not takes then
  redis.call('HSET', orphans, orphan, me)
  redis.call('HSET', akey, 'orphan', 'rendering', 'orphan_id', remote_id)
  if not (OPEN[state] and current == n) then redis.call('ZADD', open_key(deployment), now, me) end
  -- One that keeps another job's video leaves this one to whoever ordered the same and finds it.
  if a[5] and a[5] ~= remote_id then return {'orphan', 0} end
end
set_fields(akey, patch.attempt)
redis.call('HSET', akey, 'remote_id', remote_id, 'adopted', how, 'accepted_at', now)
redis.call('HDEL', akey, 'unknown_since')
redis.call('HSET', ids, remote_id, me)
if not takes then return {'orphan', 0} end

if current == n and i[4] and redis.call('HGET', ids, i[4]) == me and i[4] ~= remote_id then
  redis.call('HDEL', ids, i[4])      -- whoever made it may find it now
end
if current ~= n and OPEN[state] then
  if state == 'admitted' then settle(batch, id, current, 'none') end
  redis.call('ZREM', open_key(i[5]), attempt_ref(batch, id, current))
end
redis.call('HSET', key, 'attempt', n, 'deployment', deployment, 'remote_id', remote_id)
redis.call('HDEL', key, 'reason', 'message', 'billed', 'candidates', 'expires_at', 'content_id',
           'completed_at', 'missing', 'missing_since')
if by_hand then
  redis.call('ZREM', asked_key(scope), attempt_ref(batch, id, current))
  redis.call('HDEL', key, 'cancel', 'cancel_at', 'cancel_by', 'cancel_reason')
  if cancel_of(batch, id) then redis.call('HSET', key, 'cancel', 'keep') end
end
reopen_batch(batch)
local version = move(batch, id, state, row[state], now)
redis.call('ZADD', open_key(deployment), string.format('%.0f', now + patch.due_in_ms), me)
redis.call('HDEL', P .. 'deployment:' .. deployment, 'strikes')
if answered then heed_accepted(deployment, a[4], now) end
prove(P .. 'deployment:' .. deployment, how, me)
return {'accepted', version}
