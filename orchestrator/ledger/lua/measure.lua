-- How everything stands, as numbers for whoever watches: one look at each batch and deployment, at no item but the first
-- hundred that are to be archived. Nothing is admitted, moved or spent.
--
-- ARGV  2 {deployments = [facts, …], budgets = […]}, as for admit.lua
-- Returns JSON: {items = {state = n}, batches = {state = n}, money = {kind = micro-dollars}, moved_at, admissible,
--   backlog, oldest_at, expires_at, refusing, recovering, now, workers = {step = n}, deployments = [{name, used, slots, tokens, shut}, …]}
--   admissible  items whose create could be admitted now, and videos to archive
--   oldest_at   when the oldest of the videos that expire first was finished
--   used, slots of its quota, with all who share it; shut: why it is stopped, or 'paused'
-- Times in ms; what there is none of is absent.

local request, now = cjson.decode(ARGV[2]), now_ms()
local ITEMS = {'waiting', 'admitted', 'creating', 'rendering', 'archiving', 'archived', 'failed', 'cancelled', 'expired',
               'held'}
local MONEY = {'confirmed', 'unknown', 'estimated'}
local OLDEST_AMONG = 100

local fields = {'state', 'moved_at', unpack(MONEY)}
for _, state in ipairs(ITEMS) do fields[#fields + 1] = 'n:' .. state end
local answer = {items = {}, batches = {}, money = {}, deployments = {}}
local function add(to, name, by) to[name] = (to[name] or 0) + (tonumber(by) or 0) end

for _, batch in ipairs(redis.call('ZRANGE', P .. 'batches', 0, -1)) do
  local b = redis.call('HMGET', batch_key(batch), unpack(fields))
  if b[1] then
    add(answer.batches, b[1], 1)
    local moved_at = tonumber(b[2])
    if moved_at and moved_at > (answer.moved_at or 0) then answer.moved_at = moved_at end
    for n, kind in ipairs(MONEY) do add(answer.money, kind, b[2 + n]) end
    for n, state in ipairs(ITEMS) do add(answer.items, state, b[2 + #MONEY + n]) end
  end
end

-- What waits in a lane, less what was counted for another desk.
local waiting = {}
local function waits_in(lane)
  if waiting[lane] then return waiting[lane] end
  local count = 0
  for _, batch in ipairs(redis.call('ZRANGE', P .. 'ready:' .. lane, 0, -1)) do
    count = count + redis.call('ZCARD', P .. 'queue:' .. lane .. ':' .. batch)
  end
  waiting[lane] = count
  return count
end

local function tokens_of(meter)
  if meter.interval == 0 then return nil end
  return math.min(math.max(meter.burst - (meter.tat - now) / meter.interval, 0), meter.burst)
end

local meters, desks = {}, {}
local shut_until = archive_shut(not creator_alive(now), now)
for _, facts in ipairs(request.deployments) do
  desks[#desks + 1] = shut_for_archive(open_desk(facts, meters, now), shut_until)
end
local round = new_round(now, request.budgets)
local admissible = 0
for _, desk in ipairs(desks) do
  local meter = desk.meter
  local tokens = tokens_of(meter)
  answer.deployments[#answer.deployments + 1] = {
    name = desk.name, used = meter.used, slots = meter.cap < math.huge and meter.cap or nil, tokens = tokens,
    shut = desk.stopped or desk.closed_by == 'paused' and 'paused' or nil,
  }
  -- The last token may be there a moment early: what admission says of it counts.
  if not gate_of(desk, now) and next_item(desk, round) then
    local room = math.min(meter.cap - meter.used, tokens and math.max(math.floor(tokens), 1) or math.huge)
    room = math.max(room - (meter.counted or 0), 0)
    for _, lane in ipairs({'@' .. desk.name, desk.facts.model}) do
      local taken = math.min(room, waits_in(lane))
      waiting[lane], room = waiting[lane] - taken, room - taken
      meter.counted, admissible = (meter.counted or 0) + taken, admissible + taken
    end
  end
end

answer.backlog = redis.call('ZCARD', P .. 'archive:ready') + redis.call('ZCARD', P .. 'archive:due')
answer.admissible = admissible + answer.backlog
local first = redis.call('ZRANGEBYSCORE', P .. 'expiries', '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
answer.expires_at = tonumber(first[2])
for _, ref in ipairs(redis.call('ZRANGE', P .. 'expiries', 0, OLDEST_AMONG - 1)) do
  local batch, id = string.match(ref, '^([^/]+)/(.+)$')
  local at = tonumber(redis.call('HGET', item_key(batch, id), 'completed_at'))
  if at and at < (answer.oldest_at or math.huge) then answer.oldest_at = at end
end
answer.refusing = tonumber(redis.call('HGET', KEYS[1], 'archive_closed_until') or 0) > now
answer.recovering = redis.call('ZCARD', P .. 'recover')
answer.now, answer.workers = now, {create = 0, poll = 0, archive = 0, reconcile = 0}
for step, count in pairs(crew_alive(now)) do answer.workers[step] = count end
return cjson.encode(answer)
