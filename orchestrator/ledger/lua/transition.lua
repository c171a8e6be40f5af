-- One decided move of one item, if nobody decided anything since.
--
-- ARGV  2 batch, 3 item, 4 version that was claimed, 5 event,
--       6 patch: {item = {field = value}, attempt = {…}, money = bucket, due_in_ms = n,
--                 deployment = {stop, message, cool_ms, backoff, reason, whole_quota}, archive_closed_ms = n,
--                 token = that of the intent,
--                 delete_in_ms = n: once archived, its remote video is to be deleted}
-- Returns {1, new state, new version, {items that failed with this one, their source}, in how many ms the deployment is
-- probed that this stopped, or -1, the event that it came to}; {0, state, version, {}, -1, ''} when the version is another
-- one or the table has no such move: then nothing was written.

local batch, id = ARGV[2], ARGV[3]
local key = item_key(batch, id)
local row, patch = TABLE[ARGV[5]], cjson.decode(ARGV[6])
local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'deployment')
local from = i[1]
local event, to = ARGV[5], from and row[from]
if i[2] ~= ARGV[4] or not to then return {0, from or '', tonumber(i[2] or 0), {}, -1, ''} end

local now = now_ms()
local n = i[3]
-- A ledger that came back older has come to this version once more: it is another create that is out.
if patch.token and redis.call('HGET', attempt_key(batch, id, n), 'token') ~= patch.token then
  return {0, from, tonumber(i[2]), {}, -1, ''}
end
-- A person cancelled it meanwhile: then it does not wait again; and a video that is not wanted is not archived, unless
-- another batch waits for it, which would pay for the same once more.
local cancelled = (to == 'waiting' or (to == 'archiving' and from ~= to)) and cancel_of(batch, id)
local INSTEAD = {rendering = 'failed', archiving = 'lost'}    -- of a new attempt
if cancelled and to == 'waiting' then
  event = INSTEAD[from] or 'cancelled'
elseif cancelled == 'discard' and redis.call('SCARD', P .. 'links:' .. batch .. '/' .. id) == 0 then
  event = 'discarded'
end
to = TABLE[event][from]

-- The provider's own clock where it named both ends of a render; of an archiving, from its last claim on.
local function learn_from(event)
  if event == 'succeeded' then
    local created_at = tonumber(redis.call('HGET', attempt_key(batch, id, n), 'created_at'))
    local finished_at = tonumber(patch.attempt.completed_at)
    local spec = redis.call('HGET', P .. 'specs:' .. batch, id)
    if created_at and finished_at and spec then
      local ordered = cjson.decode(spec)
      local what = 'render ' .. ordered.size .. ' ' .. string.format('%d', ordered.seconds)
      learn(i[4], what, finished_at - created_at * 1000)
    end
  elseif event == 'archived' then
    local claimed = redis.call('HMGET', key, 'archiving_since', 'reused')
    if claimed[1] and not claimed[2] then
      for _, whose in ipairs({i[4], '@all'}) do learn(whose, 'archive', now - tonumber(claimed[1])) end
    end
  end
end

set_fields(key, patch.item)
if n ~= '0' then set_fields(attempt_key(batch, id, n), patch.attempt) end
learn_from(ARGV[5])
if event == 'uncertain' then redis.call('HSETNX', attempt_key(batch, id, n), 'unknown_since', now) end
if patch.money then settle(batch, id, n, patch.money) end
if event == 'retried' then
  -- It may be paid besides the attempt before.
  redis.call('HINCRBY', batch_key(batch), 'estimated', tonumber(redis.call('HGET', key, 'price')) or 0)
  redis.call('HSET', key, 'not_before', string.format('%.0f', now + (patch.due_in_ms or 0)))
end
if event == 'retried' or event == 'resent' then came_to_wait(now) end
local ends = event == 'cancelled' or event == 'discarded'
local version = ends and call_off(batch, id, from, event, now) or move(batch, id, from, to, now)
if patch.due_in_ms then
  local due = string.format('%.0f', now + patch.due_in_ms)
  if OPEN[to] then
    redis.call('ZADD', open_key(i[4]), due, attempt_ref(batch, id, n))
  elseif to == 'archiving' then
    redis.call('ZREM', P .. 'archive:ready', batch .. '/' .. id)
    redis.call('ZADD', P .. 'archive:due', due, batch .. '/' .. id)
  end
end
if to == 'archived' and patch.delete_in_ms then
  redis.call('ZADD', P .. 'deletions', string.format('%.0f', now + patch.delete_in_ms), attempt_ref(batch, id, n))
end
local refused = patch.deployment and patch.deployment.refused
local sent_at = refused and tonumber(redis.call('HGET', attempt_key(batch, id, n), 'intent_at'))
local probed_in = judge(i[4], patch.deployment, now, sent_at)
if patch.archive_closed_ms then
  redis.call('HSET', KEYS[1], 'archive_closed_until', string.format('%.0f', now + patch.archive_closed_ms))
end
return {1, to, version, abandoned, probed_in or -1, event}
