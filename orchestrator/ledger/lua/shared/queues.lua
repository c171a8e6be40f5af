-- Where a waiting item stands: the queues of batches, the lanes that order those, and who waits outside them.

local PRIORITY_STEP = 4294967296      -- 2^32: a queue's score is -priority * 2^32 + place in the manifest
-- 2^32: the ready index's score is -urgency * 2^32 + pass. An item's and its batch's priority together stay below 2^20,
-- so that it is exact; and only what passes differ by, within one lane, must stay below the step.
local URGENCY_STEP = 4294967296
local PASS_STEP = 1024                -- what one admission costs a batch of weight 1

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
