-- Claims what is due and moves its due time forward, so that a dead worker's work becomes due again.
--
-- ARGV  2 {pool = {step = name of the pool of slots it takes from}, free = {pool = how many are free},
--          archivist = the worker's name, or '' where it does not archive; present = ['STEP WORKER', …], what it runs,
--          allowance_ms, deployments = [names], furthest_ms, looks = {deployment = {interval_ms, burst}}}
-- Returns {next due in ms or -1, claim …}; a claim is {step, batch, item, version, attempt}; the version of a
-- claimed item grows by one, so whoever claimed it before decides nothing any more. Of a probe and of
-- a recovery, batch is the deployment.

local newer = too_new()
if newer then return newer end
local request = cjson.decode(ARGV[2])
local pool, free, allowance = request.pool, request.free, request.allowance_ms
local now = now_ms()
local claims, next_due = {-1}, nil
local STEP = {admitted = 'create', creating = 'reconcile', rendering = 'poll'}

-- What is due now but found no free slot does not count: the slot's end is what to wait for.
local function consider_first(set)
  local first = redis.call('ZRANGEBYSCORE', set, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = tonumber(first[2])
  if at and (not next_due or at < next_due) then next_due = at end
end

-- What failed and is tried again joins its queue when its pause is over. A time further off than any pause is a clock
-- that stepped back.
local later = P .. 'later'
local function join_queue(ref)
  local batch, id = string.match(ref, '^([^/]+)/(.+)$')
  local waits = redis.call('HGET', item_key(batch, id), 'state') == 'waiting'
  put_off_no_more(batch, id)
  if waits then enqueue(batch, id) end
end
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', later, now + request.furthest_ms, '+inf', 'LIMIT', 0, 100)) do
  join_queue(ref)
end
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, 100)) do join_queue(ref) end
consider_first(later)

if request.present[1] then note_present(crew, request.present, now) end

local function room(step) return pool[step] and free[pool[step]] > 0 end

-- Looks at a deployment's jobs take from a room of their own too ('polls NAME'), and from a bucket that all workers
-- share. What finds neither stays due, in its order.
local function looks_at(deployment)
  local mine, pace, dkey = 'polls ' .. deployment, request.looks[deployment], P .. 'deployment:' .. deployment
  local tat, again
  return function()
    if again or not room('poll') or (free[mine] or 1) <= 0 then return false end
    if pace then
      tat = tat or tonumber(redis.call('HGET', dkey, 'look_tat') or 0)
      local taken, at, pulled = take_token(tat, now, pace.interval_ms, pace.burst, 0)
      if not taken then
        if pulled then redis.call('HSET', dkey, 'look_tat', pulled) end
        again = at
        if not next_due or at < next_due then next_due = at end
        return false
      end
      tat = tonumber(taken)
      redis.call('HSET', dkey, 'look_tat', taken)
    end
    if free[mine] then free[mine] = free[mine] - 1 end
    return true
  end
end

local function take(step, batch, id, attempt)
  free[pool[step]] = free[pool[step]] - 1
  claims[#claims + 1] = {step, batch, id, redis.call('HINCRBY', item_key(batch, id), 'v', 1), attempt}
  return string.format('%.0f', now + allowance)
end

for _, deployment in ipairs(request.deployments) do
  local open, may_look = open_key(deployment), looks_at(deployment)
  -- A due time further off than any allowance: the clock stepped back.
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', open, now + request.furthest_ms, '+inf', 'LIMIT', 0, 100)) do
    redis.call('ZADD', open, now, ref)
  end
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now, 'LIMIT', 0, 1000)) do
    local batch, id, n = string.match(ref, '^([^/]+)/(.+)#(%d+)$')
    local i = redis.call('HMGET', item_key(batch, id), 'state', 'attempt')
    local step = i[2] == n and STEP[i[1]]
    -- A job that its item cannot take holds a slot all the same, until it has ended.
    local orphan = not step and redis.call('HGET', P .. 'attempt:' .. ref, 'orphan') == 'rendering'
    if orphan then
      if room('watch') then
        free[pool.watch] = free[pool.watch] - 1
        local number = redis.call('HINCRBY', item_key(batch, id), 'watch_v', 1)
        redis.call('HSET', P .. 'attempt:' .. ref, 'watch_v', number)
        redis.call('ZADD', open, string.format('%.0f', now + allowance), ref)
        claims[#claims + 1] = {'watch', batch, id, number, tonumber(n)}
      end
    elseif not step then
      redis.call('ZREM', open, ref)
    elseif step == 'poll' and may_look() or step ~= 'poll' and room(step) then
      if step == 'reconcile' then redis.call('HSETNX', P .. 'attempt:' .. ref, 'unknown_since', now) end
      redis.call('ZADD', open, take(step, batch, id, tonumber(n)), ref)
    end
  end
  consider_first(open)
  if room('probe') then
    local number, at = claim_probe(P .. 'deployment:' .. deployment, now, allowance, false)
    if number then
      free[pool.probe] = free[pool.probe] - 1
      claims[#claims + 1] = {'probe', deployment, '', number, 0}
    elseif at and (not next_due or at < next_due) then
      next_due = at
    end
  end
end

local ready, due = P .. 'archive:ready', P .. 'archive:due'
if pool.archive then
  if request.archivist ~= '' then note_present(archivists, {request.archivist}, now) end
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', due, now + request.furthest_ms, '+inf', 'LIMIT', 0, 100)) do
    redis.call('ZADD', due, now, ref)
  end
  -- What was claimed by a worker that died, or postponed, joins the order by expiry again.
  for _, ref in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 1000)) do
    local batch, id = string.match(ref, '^([^/]+)/(.+)$')
    redis.call('ZREM', due, ref)
    redis.call('ZADD', ready, redis.call('HGET', item_key(batch, id), 'expires_at') or now, ref)
  end
  while room('archive') do
    local ref = redis.call('ZPOPMIN', ready)[1]
    if not ref then break end
    local batch, id = string.match(ref, '^([^/]+)/(.+)$')
    local attempt = tonumber(redis.call('HGET', item_key(batch, id), 'attempt'))
    redis.call('ZADD', due, take('archive', batch, id, attempt), ref)
    redis.call('HSET', item_key(batch, id), 'archiving_since', now)
  end
  consider_first(due)
end

-- Scopes whose list is to be looked through, since Redis began anew.
if pool.recover then
  local due = redis.call('ZRANGEBYSCORE', P .. 'recover', '-inf', now, 'LIMIT', 0, 100)
  local whose = {}
  for _, deployment in ipairs(due[1] and request.deployments or {}) do
    local d = redis.call('HMGET', P .. 'deployment:' .. deployment, 'scope', 'stopped')
    if d[1] and not d[2] and not whose[d[1]] then whose[d[1]] = deployment end    -- a stopped one is probed first
  end
  for _, scope in ipairs(due) do
    if whose[scope] and room('recover') then
      free[pool.recover] = free[pool.recover] - 1
      claims[#claims + 1] = {'recover', whose[scope], '', claim_recovery(scope, now, allowance), 0}
    end
  end
  consider_first(P .. 'recover')
end

-- Steps of whole batches. A report waits for whoever writes the page of the same batch: an older page must not come
-- after its own. Once a batch has ended, its page is the report's.
local function may_claim(step, set, batch)
  if step == 'sweep' then return true end
  local b, key = redis.call('HMGET', batch_key(batch), 'state', 'sheet_began'), batch_key(batch)
  if step == 'report' then return not b[2] or tonumber(redis.call('ZSCORE', P .. 'sheets', batch) or 0) <= now end
  if b[1] == 'running' or b[1] == 'paused' then
    redis.call('HSET', key, 'sheet_began', now)
    return true
  end
  redis.call('ZREM', set, batch)
  redis.call('HDEL', key, 'sheet_began')
end
for step, set in pairs({report = P .. 'reports', sweep = P .. 'sweeps', sheet = P .. 'sheets'}) do
  if pool[step] then
    for _, batch in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 100)) do
      if not room(step) then break end
      if may_claim(step, set, batch) then
        free[pool[step]] = free[pool[step]] - 1
        redis.call('ZADD', set, string.format('%.0f', now + allowance), batch)
        claims[#claims + 1] = {step, batch, '', redis.call('HINCRBY', batch_key(batch), step .. '_v', 1), 0}
      end
    end
    consider_first(set)
  end
end
if next_due then claims[1] = math.max(next_due - now, 0) end
return claims
