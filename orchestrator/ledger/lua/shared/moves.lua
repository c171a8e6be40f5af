-- The one way from state to state, and what ends an item by a person's wish.

local SHEET_MS = 60000                 -- a running batch's contact sheet is written at most so often

-- What a render left on its item: it means nothing for the next one.
local OF_RENDER = {'expires_at', 'content_id', 'completed_at', 'remote_status', 'progress', 'missing', 'missing_since',
                   'archive_tries', 'archiving_since'}

-- The items made from an item that still need it.
local function remixes_of(batch, id) return P .. 'remixes:' .. batch .. '/' .. id end

-- The items that failed only because this one ended without a video.
local function abandoned_key(batch, id) return P .. 'abandoned:' .. batch .. '/' .. id end

local abandoned, brought_back = {}, {}    -- items that failed with their source, and that wait again with it, to be told
-- Defined below: what a change of state means for the items made from this one, and for those that are the same.
local follow, bring_back, hand_on

-- Where a provider gives a slot back some time after it says that a job has ended, the slot is in use until then.
local function settling_key(deployment) return P .. 'settling:' .. deployment end
local function let_settle(deployment, attempt, now)
  local settle = redis.call('HGET', P .. 'deployment:' .. deployment, 'settle_ms')
  if not settle then return end
  redis.call('ZREMRANGEBYSCORE', settling_key(deployment), '-inf', now)
  redis.call('ZADD', settling_key(deployment), string.format('%.0f', now + tonumber(settle)), attempt)
end

-- A batch's page is due a minute after the first move that it does not show; who writes it now sees the later ones.
local function note_sheet(batch, now)
  redis.call('ZADD', P .. 'sheets', 'NX', string.format('%.0f', now + SHEET_MS), batch)
end

-- Moves an item from one state to another with all that hangs on it: queue, slot, archive order, counters,
-- the items made from it, and the batch's end. Every move adds one to the version. More fields of the item may be given,
-- name by name and value by value. (The one move that admission makes is written out in admit.lua, in fewer commands.)
local function move(batch, id, from, to, now, ...)
  local key = item_key(batch, id)
  local i = redis.call('HMGET', key, 'attempt', 'deployment', 'expires_at', 'source', 'reused', 'paused', 'lane', 'not_before')
  local ref = batch .. '/' .. id
  if from == 'waiting' and to ~= 'waiting' then
    unqueue(batch, id, i[7])
    if i[8] then put_off_no_more(batch, id) end
  end
  if OPEN[from] and not OPEN[to] then
    local attempt = attempt_ref(batch, id, i[1])
    redis.call('ZREM', open_key(i[2]), attempt)
    if from == 'rendering' then let_settle(i[2], attempt, now) end
  end
  if from == 'archiving' and to ~= 'archiving' then
    redis.call('ZREM', P .. 'archive:ready', ref)
    redis.call('ZREM', P .. 'archive:due', ref)
    redis.call('SREM', P .. 'fetch:' .. i[2], ref)
    redis.call('ZREM', P .. 'expiries', ref)
  end
  -- A create whose answer is not known may be that which made any job of its time: 'asked:SCOPE'.
  if (from == 'creating' or from == 'held') and to ~= 'creating' and to ~= 'held' then
    local scope = redis.call('HGET', attempt_key(batch, id, i[1]), 'scope')
    if scope then redis.call('ZREM', asked_key(scope), attempt_ref(batch, id, i[1])) end
  end
  local version = redis.call('HINCRBY', key, 'v', 1)
  redis.call('HSET', key, 'state', to, 'changed_at', now, ...)
  if from ~= to then
    redis.call('HSET', batch_key(batch), 'moved_at', now)
    redis.call('HINCRBY', batch_key(batch), 'n:' .. from, -1)
    redis.call('HINCRBY', batch_key(batch), 'n:' .. to, 1)
    if to == 'waiting' then
      if not UNMADE[from] then
        redis.call('HDEL', key, unpack(OF_RENDER))
        if i[4] then redis.call('SADD', P .. 'remixes:' .. batch .. '/' .. i[4], id) end
      end
      enqueue(batch, id)
    end
    if i[6] then
      local waiting = (to == 'waiting' and 1 or 0) - (from == 'waiting' and 1 or 0)
      redis.call('HINCRBY', batch_key(batch), 'paused_items', waiting)
      if to == 'archived' or ENDED[to] then redis.call('HDEL', key, unpack(ITEM_PAUSE)) end
    end
    if to == 'archiving' then
      -- What only needs a receipt has time: whatever may expire goes before it.
      redis.call('ZADD', P .. 'archive:ready', i[3] or now + UNHURRIED_MS, ref)
      if not i[5] then
        redis.call('SADD', P .. 'fetch:' .. i[2], ref)
        if i[3] then redis.call('ZADD', P .. 'expiries', i[3], ref) end
      end
    end
    if ENDED[from] and not ENDED[to] then bring_back(batch, id, now) end
    -- Until a remix is made, its source must stay at the provider.
    if i[4] and not UNMADE[to] then redis.call('SREM', remixes_of(batch, i[4]), id) end
    if to == 'archiving' or not STILL_MOVES[to] then follow(batch, id, to, now) end
    -- What is held may have a video still: whoever waits for that must not order another.
    if to == 'archived' or (ENDED[to] and to ~= 'held') then hand_on(batch, id, to == 'archived', now) end
    note_sheet(batch, now)
    if not STILL_MOVES[to] then end_batch_when_settled(batch, now) end
  end
  return version
end

-- What a person wants of an item, or of its whole batch: 'keep' the video if one is made all the same, or 'discard' it;
-- nil where nobody cancelled it.
local function cancel_of(batch, id)
  return redis.call('HGET', item_key(batch, id), 'cancel') or redis.call('HGET', batch_key(batch), 'cancel') or nil
end

-- Ends an item that was cancelled: nothing more is sent for it ('cancelled'), or its video is not wanted ('discarded').
-- The item knows who asked and why, also where it was asked of the whole batch.
local function call_off(batch, id, from, event, now)
  local key = item_key(batch, id)
  if redis.call('HEXISTS', key, 'cancel') == 0 then
    local b = redis.call('HMGET', batch_key(batch), 'cancel', 'cancelled_by', 'cancelled_reason', 'cancelled_at')
    redis.call('HSET', key, 'cancel', b[1], 'cancel_by', b[2], 'cancel_reason', b[3], 'cancel_at', b[4])
  end
  redis.call('HSET', key, 'reason', event, 'message', redis.call('HGET', key, 'cancel_reason'))
  return move(batch, id, from, TABLE[event][from], now)
end

-- Notes what a person asked of a batch's items: `sweep.lua` does it, a few hundred at a time. A worker goes on with it
-- once it is due.
local function ask_sweep(batch, request, now, due_in_ms)
  local key = P .. 'sweep:' .. batch
  request.at = now
  redis.call('DEL', key)
  redis.call('HSET', key, 'request', cjson.encode(request),
             'cancelled_before', redis.call('HGET', batch_key(batch), 'n:cancelled') or 0)
  redis.call('ZADD', P .. 'sweeps', string.format('%.0f', now + due_in_ms), batch)
end
