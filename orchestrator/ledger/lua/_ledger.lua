-- What every script of the ledger shares; loaded in front of each of them.
--
-- KEYS[1]  the meta key: it names the cluster slot in which all others live
-- ARGV[1]  the prefix of every key, '{NAMESPACE}:'
-- LEDGER_VERSION: from orchestrator/ledger/ledger_version.py; TABLE, ADMITS, MOVING, STILL_MOVES, OPEN: from
-- orchestrator/items/states.py
-- Of all shared files a script gets only the parts that it uses (orchestrator/ledger/prelude.py): each defines names, as
-- 'local …' or 'NAME = …', and does nothing else.
-- Times are Redis's own, in integer milliseconds; money is in integer micro-dollars.

local P = ARGV[1]
local PRIORITY_STEP = 4294967296      -- 2^32: a queue's score is -priority * 2^32 + place in the manifest
-- 2^32: the ready index's score is -urgency * 2^32 + pass. An item's and its batch's priority together stay below 2^20,
-- so that it is exact; and only what passes differ by, within one lane, must stay below the step.
local URGENCY_STEP = 4294967296
local KNOWN_MOST = 200                -- remote jobs remembered for each listing, the newest
local UNHURRIED_MS = 604800000        -- a week
local PASS_STEP = 1024                -- what one admission costs a batch of weight 1

local SHEET_MS = 60000                 -- a running batch's contact sheet is written at most so often

local ITEM_PAUSE = {'paused', 'paused_at', 'paused_by', 'paused_reason'}

-- What a render left on its item: it means nothing for the next one.
local OF_RENDER = {'expires_at', 'content_id', 'completed_at', 'remote_status', 'progress', 'missing', 'missing_since',
                   'archive_tries', 'archiving_since'}

-- Ended without a video; and not yet sent, so that what it is made from is still needed.
local ENDED = {failed = true, cancelled = true, expired = true, held = true}
local UNMADE = {waiting = true, admitted = true, creating = true}

local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- What the meta key says of the ledger as a whole; read once.
local whole
local function whole_ledger()
  if not whole then
    local m = redis.call('HMGET', KEYS[1], 'schema', 'guarded', 'archive_closed_until')
    whole = {version = tonumber(m[1] or 1), guarded = m[2], archive_closed_until = tonumber(m[3] or 0)}
  end
  return whole
end

-- A worker of an older release begins nothing in a ledger that it would misread: the answer then, else nil. What it has
-- begun already it still records.
local function too_new()
  local version = whole_ledger().version
  if version > LEDGER_VERSION then return redis.error_reply('TOONEW ' .. version) end
end

local function item_key(batch, id) return P .. 'item:' .. batch .. '/' .. id end
local function attempt_ref(batch, id, n) return batch .. '/' .. id .. '#' .. n end
local function attempt_key(batch, id, n) return P .. 'attempt:' .. attempt_ref(batch, id, n) end
local function batch_key(batch) return P .. 'batch:' .. batch end
local function open_key(deployment) return P .. 'open:' .. deployment end
local function asked_key(scope) return P .. 'asked:' .. scope end

local function set_fields(key, fields)
  local flat = {}
  for name, value in pairs(fields or {}) do
    flat[#flat + 1], flat[#flat + 2] = name, tostring(value)
  end
  if flat[1] then redis.call('HSET', key, unpack(flat)) end
end

-- The index of a lane, 'ready:LANE', has the batches by the urgency of their queue's head, and of equals by their pass.
local function put_in_order(lane, batch, priority, head_score, pass)
  local urgency = priority - math.floor(head_score / PRIORITY_STEP)
  redis.call('ZADD', P .. 'ready:' .. lane, string.format('%.0f', pass - urgency * URGENCY_STEP), batch)
end

-- Puts a batch where it belongs in the index of a lane (a model, or '@DEPLOYMENT' for pinned items), or
-- takes it out. A batch that comes (back) starts at the lane's virtual time: it cannot claim the past. Each lane that it
-- ever stood in has its pass, though it may be paused or loading the while.
local function index_batch(batch, lane)
  local ready = P .. 'ready:' .. lane
  local head = redis.call('ZRANGE', P .. 'queue:' .. lane .. ':' .. batch, 0, 0, 'WITHSCORES')
  local b = redis.call('HMGET', batch_key(batch), 'state', 'priority', 'pass:' .. lane, 'cancel')
  if not head[1] or b[1] ~= 'running' or b[4] then
    redis.call('ZREM', ready, batch)
    if head[1] then redis.call('HSETNX', batch_key(batch), 'pass:' .. lane, 0) end
    return
  end
  local pass = tonumber(b[3] or 0)
  if not redis.call('ZSCORE', ready, batch) then
    pass = math.max(pass, tonumber(redis.call('GET', P .. 'virtual:' .. lane) or 0))
    redis.call('HSET', batch_key(batch), 'pass:' .. lane, pass)
  end
  put_in_order(lane, batch, tonumber(b[2] or 0), tonumber(head[2]), pass)
end

local function index_lanes(batch)
  for _, name in ipairs(redis.call('HKEYS', batch_key(batch))) do
    local lane = string.match(name, '^pass:(.+)$')
    if lane then index_batch(batch, lane) end
  end
end

-- A remix that waits must be made before its source is deleted: 'hurry:LANE' has it by that time, and by its place.
local function hurry(batch, id, lane, source, place)
  local expires_at = source and tonumber(redis.call('HGET', item_key(batch, source), 'expires_at'))
  if not expires_at then return end
  redis.call('ZADD', P .. 'hurry:' .. lane, string.format('%.4f', expires_at + place % 4096 / 4096), batch .. '/' .. id)
end

-- What failed and is tried again by itself stands in 'later', by when it may join its queue; its batch knows how many do.
local function put_off(batch, id)
  local at = redis.call('HGET', item_key(batch, id), 'not_before')
  if not at or tonumber(at) <= now_ms() then return false end
  local new = redis.call('ZADD', P .. 'later', at, batch .. '/' .. id)
  if new == 1 then redis.call('HINCRBY', batch_key(batch), 'later', 1) end
  return true
end

local function put_off_no_more(batch, id)
  redis.call('HDEL', item_key(batch, id), 'not_before')
  if redis.call('ZREM', P .. 'later', batch .. '/' .. id) == 1 then
    redis.call('HINCRBY', batch_key(batch), 'later', -1)
  end
end

-- `in_bulk`: whoever queues many rows indexes their lanes at the end, once (`seal_batch.lua`).
local function enqueue(batch, id, in_bulk)
  local i = redis.call('HMGET', item_key(batch, id), 'lane', 'priority', 'place', 'paused', 'source_id', 'source')
  if not i[1] or i[1] == '' then return end           -- parked: its source has not succeeded yet
  if i[4] then return end                             -- a person paused it
  if put_off(batch, id) then return end
  local score = tonumber(i[3]) - tonumber(i[2]) * PRIORITY_STEP
  redis.call('ZADD', P .. 'queue:' .. i[1] .. ':' .. batch, string.format('%.0f', score), id)
  if i[5] then hurry(batch, id, i[1], i[6], tonumber(i[3])) end
  if not in_bulk then index_batch(batch, i[1]) end
end

-- Items that wait for the same video of another batch: 'links:SOURCE' names them, 'parked:BATCH' their sources.
local function unpark(batch, id)
  local source = redis.call('HGET', P .. 'parked:' .. batch, id)
  if not source then return end
  redis.call('HDEL', P .. 'parked:' .. batch, id)
  redis.call('SREM', P .. 'links:' .. source, batch .. '/' .. id)
end

local function leave_queue(batch, id, lane)
  redis.call('ZREM', P .. 'queue:' .. lane .. ':' .. batch, id)
  if string.sub(lane, 1, 1) == '@' then redis.call('ZREM', P .. 'hurry:' .. lane, batch .. '/' .. id) end
end

local function unqueue(batch, id, lane)
  if lane == nil then lane = redis.call('HGET', item_key(batch, id), 'lane') end
  if not lane then return end
  if lane == '' then unpark(batch, id) return end
  leave_queue(batch, id, lane)
  index_batch(batch, lane)
end

-- Remembers how long something took at a deployment: a mean in which the last twenty count most, of how many it is, and
-- those twenty themselves, the newest first: 'MEAN COUNT MS,MS,…'.
local REMEMBERED, LONGEST_STEP = 20, 86400000
local function learn(deployment, what, took)
  if not took or took < 0 or took > LONGEST_STEP then return end    -- two clocks that differ
  local key = P .. 'timings:' .. deployment
  local mean, count, last = string.match(redis.call('HGET', key, what) or '0 0', '^(%S+) (%d+) ?(%S*)$')
  count = tonumber(count) + 1
  mean = tonumber(mean) + (took - tonumber(mean)) / math.min(count, REMEMBERED)
  local kept = {string.format('%.0f', took)}
  for each in string.gmatch(last, '[^,]+') do
    if #kept < REMEMBERED then kept[#kept + 1] = each end
  end
  redis.call('HSET', key, what, string.format('%.3f %d %s', mean, count, table.concat(kept, ',')))
end

-- A final batch that got something to do runs again; its results will be written anew.
local function reopen_batch(batch)
  local key = batch_key(batch)
  if redis.call('HGET', key, 'state') ~= 'final' then return end
  redis.call('HSET', key, 'state', redis.call('HEXISTS', key, 'paused_at') == 1 and 'paused' or 'running')
  redis.call('HDEL', key, 'final_at', 'reported_at')
  redis.call('ZREM', P .. 'reports', batch)
end

-- A report that was written, or is being written, may have read what was before: it ends nothing, and another follows.
local function report_anew(batch, now)
  local key = batch_key(batch)
  redis.call('HDEL', key, 'reported_at')
  if redis.call('HEXISTS', key, 'report_v') == 1 then redis.call('HINCRBY', key, 'report_v', 1) end
  redis.call('ZADD', P .. 'reports', now, batch)
end

local function end_batch_when_settled(batch, now)
  local key = batch_key(batch)
  if redis.call('HGET', key, 'state') == 'loading' then return end
  for _, state in ipairs(MOVING) do
    if tonumber(redis.call('HGET', key, 'n:' .. state) or 0) > 0 then return end
  end
  redis.call('HSET', key, 'state', 'final', 'final_at', now)
  report_anew(batch, now)
  if redis.call('HEXISTS', key, 'sheet_began') == 0 then redis.call('ZREM', P .. 'sheets', batch) end
end

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
