-- Does, for a part of a batch's items, what a person asked: pauses, resumes, cancels or makes again those that were chosen.
--
-- ARGV  2 batch, 3 how many items to look at, 4 ms until somebody else may go on with it
-- The request: {action = pause, resume or cancel, by, reason, cancel = 'keep' or 'discard',
--               codes = {reason = true} (any when empty), before = ms: only what ended until then; double = also what is
--               held; dry = only count: all four for action = retry,
--               whole = true, or patterns = ['mug-*', …] (any when empty) and states = {state = true} (any when empty)}
-- Returns {1 when all is done, else 0, action, name, count, …}: what came of it so far; nil when nothing was asked of the
-- batch lately. The counts: chosen; done; going_on: chosen, sent and not ended; already: as asked before; ended, or
-- cancelling: too late to pause it; failed: remixes of what was cancelled; hit:N: chosen by the Nth pattern. Of a retry
-- also superseded: left as they are, since their rows have other content by now, which is another item; brought_back: remixes
-- that wait with their source again; held, sourceless: left as they are, since they may be paid twice, or what they are made
-- from has ended; cost in micro-dollars, unpriced of them with no known price; again and again_cost: of those that may be
-- paid a second time.
--
-- It goes by the manifest's order, behind the last item that was looked at, so that rows may come and go meanwhile.

local DONE_KEPT_MS = 600000
local batch, most = ARGV[2], tonumber(ARGV[3])
local skey, order, sweeps = P .. 'sweep:' .. batch, P .. 'order:' .. batch, P .. 'sweeps'
local now = now_ms()
local s = redis.call('HMGET', skey, 'request', 'after', 'place')
if not s[1] then
  redis.call('ZREM', sweeps, batch)
  return nil
end
local request = cjson.decode(s[1])

local counts = {}
local function count(name, by) counts[name] = (counts[name] or 0) + (by or 1) end

local function answer(done)
  local told, so_far = {done, request.action}, {}
  local fields = redis.call('HGETALL', skey)
  for n = 1, #fields, 2 do
    local name = string.match(fields[n], '^n:(.+)$')
    if name then so_far[name] = tonumber(fields[n + 1]) end
  end
  -- Of a whole batch, items are cancelled at their intent too, and with their sources.
  if request.whole then
    so_far.already = tonumber(redis.call('HGET', skey, 'cancelled_before'))
    so_far.done = tonumber(redis.call('HGET', batch_key(batch), 'n:cancelled') or 0) - so_far.already
  end
  for name, number in pairs(so_far) do
    told[#told + 1] = name
    told[#told + 1] = number
  end
  return told
end
if not redis.call('ZSCORE', sweeps, batch) then return answer(1) end

-- A key as people write it is that of every content that it had: `mug` is `mug~2` too.
local patterns = {}
for n, text in ipairs(request.patterns or {}) do
  local plain = string.gsub(string.lower(text), '[%^%$%(%)%%%.%[%]%+%-]', '%%%0')
  patterns[n] = '^' .. string.gsub(string.gsub(plain, '%*', '.*'), '%?', '.') .. '$'
end
local any_state = request.whole or next(request.states) == nil
local codes = request.codes and next(request.codes) and request.codes

local function named(id)
  if #patterns == 0 then return true end
  local whole, found = string.lower(id), false
  local key = string.match(whole, '^(.-)~%d+$') or whole
  for n, pattern in ipairs(patterns) do
    if string.match(whole, pattern) or string.match(key, pattern) then
      count('hit:' .. n)
      found = true
    end
  end
  return found
end

local lanes = {}

local function pause(id, key, state, i)
  if i[5] then return count('already') end
  redis.call('HSET', key, 'paused', 1, 'paused_at', request.at, 'paused_by', request.by, 'paused_reason', request.reason)
  if state == 'admitted' then
    settle(batch, id, i[2], 'none')
    move(batch, id, state, TABLE.returned[state], now)
  elseif state == 'waiting' then
    redis.call('HINCRBY', batch_key(batch), 'paused_items', 1)
    if i[4] ~= '' then
      leave_queue(batch, id, i[4])
      lanes[i[4]] = true
    end
  end
  if UNMADE[state] and state ~= 'creating' then count('done') end
end

local function resume(id, key, state, i)
  if not i[5] then return count('already') end
  redis.call('HDEL', key, unpack(ITEM_PAUSE))
  if state == 'waiting' then
    redis.call('HINCRBY', batch_key(batch), 'paused_items', -1)
    enqueue(batch, id, true)
    if i[4] ~= '' then lanes[i[4]] = true end
  end
  count('done')
end

local function cancel(id, key, state, i)
  if i[6] ~= request.cancel then
    redis.call('HSET', key, 'cancel', request.cancel, 'cancel_at', request.at, 'cancel_by', request.by,
               'cancel_reason', request.reason)
  end
  local unsent = state == 'waiting' or state == 'admitted'
  local unwanted = state == 'archiving' and request.cancel == 'discard'
    and redis.call('SCARD', P .. 'links:' .. batch .. '/' .. id) == 0
  if unsent or unwanted then
    if state == 'admitted' then settle(batch, id, i[2], 'none') end
    call_off(batch, id, state, unsent and 'cancelled' or 'discarded', now)
    count('done')
  end
end

-- The row was submitted anew since with other content, which is an item of its own: to make this one would be to pay
-- for what nobody wants any more.
local function superseded(id)
  local latest = redis.call('HGET', item_key(batch, string.match(id, '^(.-)~%d+$') or id), 'latest')
  return latest and latest ~= id
end

local function retry(id, key, state)
  if superseded(id) then return count('superseded') end
  if state == 'held' and not request.double then return count('held') end
  local found = revival_of(batch, id)
  count('cost', found.price or 0)
  if not found.price then count('unpriced') end
  if found.again then
    count('again')
    count('again_cost', found.price or 0)
  end
  if found.waits_for then return count('sourceless') end    -- it comes back with its source, if that does
  if not request.dry then
    revive(batch, id, state, found, now)
    came_to_wait(now)
  end
  count('done')
end

local ACT = {pause = pause, resume = resume, cancel = cancel}
local GOES_ON = {creating = true, rendering = true, archiving = true}

local function treat(id)
  local key = item_key(batch, id)
  local i = redis.call('HMGET', key, 'state', 'attempt', 'v', 'lane', 'paused', 'cancel', 'reason', 'changed_at')
  local state = i[1]
  if not state or not (any_state or request.states[state]) then return end
  if codes and not codes[i[7]] or not named(id) then return end
  count('chosen')
  if request.action == 'retry' then
    if not ENDED[state] or tonumber(i[8]) > request.before then return count(state == 'archived' and 'ended' or 'going_on') end
    return retry(id, key, state)
  end
  if state == 'archived' or ENDED[state] then
    count(state == 'cancelled' and request.action == 'cancel' and 'already' or 'ended')
  elseif i[6] and request.action ~= 'cancel' then
    count('cancelling')
  else
    ACT[request.action](id, key, state, i)
    state = redis.call('HGET', key, 'state')
    if GOES_ON[state] then count('going_on') end
  end
end

local from = 0
if s[2] then
  local rank = redis.call('ZRANK', order, s[2])
  -- The last one that was looked at is gone: those at its place are looked at again, which changes nothing.
  from = rank and rank + 1 or redis.call('ZCOUNT', order, '-inf', '(' .. s[3])
end
local ids = redis.call('ZRANGE', order, from, from + most - 1, 'WITHSCORES')
for n = 1, #ids, 2 do treat(ids[n]) end
for lane in pairs(lanes) do index_batch(batch, lane) end
for name, number in pairs(counts) do redis.call('HINCRBY', skey, 'n:' .. name, number) end
if #brought_back > 0 then redis.call('HINCRBY', skey, 'n:brought_back', #brought_back) end
if #abandoned > 0 then redis.call('HINCRBY', skey, 'n:failed', #abandoned) end

if #ids == 2 * most then
  redis.call('HSET', skey, 'after', ids[#ids - 1], 'place', ids[#ids])
  redis.call('ZADD', sweeps, string.format('%.0f', now + tonumber(ARGV[4])), batch)
  return answer(0)
end
redis.call('ZREM', sweeps, batch)
redis.call('PEXPIRE', skey, DONE_KEPT_MS)
-- Whoever was still submitting it is told to stop (`submit.lua`): what is there is all of it.
if request.whole and redis.call('HGET', batch_key(batch), 'state') == 'loading' then
  redis.call('HSET', batch_key(batch), 'state', 'running')
  end_batch_when_settled(batch, now)
end
return answer(1)
