-- When a batch runs again, and when it is final.

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
