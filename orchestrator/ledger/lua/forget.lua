-- Drops a part of a final batch: as many items as asked for, and at last the batch itself.
--
-- ARGV  2 batch, 3 how many items at most, 4 '1': not before its report is out
-- Returns {items left, word}: gone once the batch is (the last answer may have been lost), else more; or, with nothing dropped, not_final, unreported, or
-- orphans: remote jobs of its items that no item could take may still have videos.
--
-- A create whose outcome nobody knows may have a job all the same: its scope's list is looked through before anything more
-- is sent there, so that the same row, ordered again, finds it.
--
-- Whose its newest remote jobs were is remembered for as long as a provider lists them ('forgotten': 'SCOPE ID' → until
-- when): otherwise a look through the list after Redis began anew would take them for jobs that nobody here knows.

local LISTED_MS = 172800000      -- two days
local CLOCKS_S = 600             -- how far a provider's clock may be behind this one
local batch, now = ARGV[2], now_ms()
local bkey, order = batch_key(batch), P .. 'order:' .. batch
local remembered, orphans = P .. 'forgotten', P .. 'orphans'

-- When an attempt's remote job was made (ms), as well as is known.
local function made_at(akey)
  local a = redis.call('HMGET', akey, 'accepted_at', 'intent_at', 'created_at')
  return tonumber(a[1]) or tonumber(a[2]) or (tonumber(a[3]) or 0) * 1000
end

local function orphans_of()
  local found, flat = {}, redis.call('HGETALL', orphans)
  for n = 1, #flat, 2 do
    if string.sub(flat[n + 1], 1, #batch + 1) == batch .. '/' then found[flat[n]] = flat[n + 1] end
  end
  return found
end

local b = redis.call('HMGET', bkey, 'state', 'reported_at', 'forgetting')
if not b[1] then return {0, 'gone'} end
if b[1] ~= 'final' then return {0, 'not_final'} end
if not b[3] then
  if ARGV[4] == '1' and not b[2] then return {0, 'unreported'} end
  local left = orphans_of()
  for _, owner in pairs(left) do
    if made_at(P .. 'attempt:' .. owner) > now - LISTED_MS then return {0, 'orphans'} end
  end
  for orphan in pairs(left) do redis.call('HDEL', orphans, orphan) end
  -- Should whoever drops it die, it is due for the next worker.
  redis.call('HSET', bkey, 'forgetting', 1, 'reported_at', b[2] or now)
  redis.call('ZADD', P .. 'reports', now, batch)
end

local function let_go(n, ref, akey)
  redis.call('ZREM', P .. 'deletions', ref)
  local a = redis.call('HMGET', akey, 'scope', 'remote_id', 'money')
  if a[1] then redis.call('ZREM', asked_key(a[1]), ref) end
  if a[1] and not a[2] and a[3] == 'unknown' and made_at(akey) + LISTED_MS > now then
    local r = redis.call('HMGET', recovery_key(a[1]), 'strays', 'strays_since')
    local since = math.min(tonumber(r[2]) or math.huge, made_at(akey) / 1000 - CLOCKS_S)
    note_strays(a[1], math.max(tonumber(r[1] or 0), 1), since)
    doubt(a[1], now)
  end
  if not a[2] or redis.call('HGET', P .. 'remote:' .. a[1], a[2]) ~= ref then return end
  local till = made_at(akey) + LISTED_MS
  if till > now then
    redis.call('ZADD', remembered, string.format('%.0f', till), a[1] .. ' ' .. a[2])
  else
    redis.call('HDEL', P .. 'remote:' .. a[1], a[2])
    redis.call('ZREM', P .. 'known:' .. a[1], a[2])
  end
end

for _, id in ipairs(redis.call('ZRANGE', order, 0, tonumber(ARGV[3]) - 1)) do
  local key = item_key(batch, id)
  for n = 1, tonumber(redis.call('HGET', key, 'made') or 0) do
    let_go(n, attempt_ref(batch, id, n), attempt_key(batch, id, n))
    redis.call('DEL', attempt_key(batch, id, n))
  end
  hand_on(batch, id, false, now)
  drop_print(redis.call('HGET', key, 'fingerprint'), batch .. '/' .. id)
  redis.call('DEL', key, remixes_of(batch, id), abandoned_key(batch, id))
  redis.call('HDEL', P .. 'specs:' .. batch, id)
  redis.call('ZREM', order, id)
end
local left = redis.call('ZCARD', order)
if left > 0 then return {left, 'more'} end

-- What no list shows any more; unless its attempt is there again, since the same batch was submitted once more.
for _, each in ipairs(redis.call('ZRANGEBYSCORE', remembered, '-inf', now, 'LIMIT', 0, 1000)) do
  local scope, remote_id = string.match(each, '^(%S*) (.+)$')
  local owner = redis.call('HGET', P .. 'remote:' .. scope, remote_id)
  if owner and redis.call('HGET', P .. 'attempt:' .. owner, 'remote_id') ~= remote_id then
    redis.call('HDEL', P .. 'remote:' .. scope, remote_id)
    redis.call('ZREM', P .. 'known:' .. scope, remote_id)
  end
  redis.call('ZREM', remembered, each)
end
keep_booked(batch, now)
redis.call('DEL', bkey, order, P .. 'specs:' .. batch, P .. 'window:' .. batch, P .. 'sweep:' .. batch)
redis.call('ZREM', P .. 'batches', batch)
redis.call('ZREM', P .. 'reports', batch)
redis.call('ZREM', P .. 'sweeps', batch)
redis.call('ZREM', P .. 'sheets', batch)
return {0, 'gone'}
