-- Whether what is made can be archived before the provider deletes it; loaded behind shared/ledger.lua.
--
-- 'expiries' has every finished video that is still to be fetched, by when it is deleted; 'archivists' every worker that
-- archives, by when it was last seen (they note themselves as they claim); 'crew' the same of every worker and each step
-- that it runs, as 'STEP WORKER'. All in ms.

local ALIVE_MS, NOTED_MS = 60000, 10000
local HANDS = 4                       -- of one worker: ARCHIVE_SLOTS of orchestrator/admission/dispatcher.py
local BEHIND_AGAIN_MS = 5000          -- nobody knows when a backlog has drained: ask again so soon

local archivists, crew = P .. 'archivists', P .. 'crew'

-- A worker is there. One that was not seen for a while is taken off; so is one of a clock that stepped back.
local function note_present(set, names, now)
  local seen = tonumber(redis.call('ZSCORE', set, names[1]) or 0)
  if math.abs(now - seen) < NOTED_MS then return end
  for _, name in ipairs(names) do redis.call('ZADD', set, now, name) end
  redis.call('ZREMRANGEBYSCORE', set, '-inf', now - ALIVE_MS)
  redis.call('ZREMRANGEBYSCORE', set, now + ALIVE_MS, '+inf')
end

local function archivists_alive(now) return redis.call('ZCOUNT', archivists, now - ALIVE_MS, now + ALIVE_MS) end

-- How many workers run each step, {step = n}; a step that nobody runs is absent.
local function crew_alive(now)
  local alive = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', crew, now - ALIVE_MS, now + ALIVE_MS)) do
    local step = string.match(member, '^%S+')
    alive[step] = (alive[step] or 0) + 1
  end
  return alive
end

-- A worker that creates and does not archive asks: who wants to know why nothing is ordered is told of it.
local function note_creator(now)
  local seen = tonumber(redis.call('HGET', KEYS[1], 'creator_at') or 0)
  if math.abs(now - seen) >= NOTED_MS then redis.call('HSET', KEYS[1], 'creator_at', now) end
end

local function creator_alive(now)
  return math.abs(now - tonumber(redis.call('HGET', KEYS[1], 'creator_at') or 0)) <= ALIVE_MS
end

-- How many videos wait to be archived, the next that will be deleted and when, and how long archiving all of them takes
-- at the pace of late (nil: none was learned). What is past its time already cannot be saved by waiting. `alive`: how many
-- archive, where that was counted.
local function backlog(now, alive)
  local waiting = redis.call('ZCOUNT', P .. 'expiries', '(' .. now, '+inf')
  if waiting == 0 then return {waiting = 0} end
  local first = redis.call('ZRANGEBYSCORE', P .. 'expiries', '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local learned = redis.call('HGET', P .. 'timings:@all', 'archive')
  local mean = learned and tonumber(string.match(learned, '^%S+'))
  local drain = mean and mean * math.ceil(waiting / (HANDS * math.max(alive or archivists_alive(now), 1)))
  return {waiting = waiting, first = first[1], expires_at = tonumber(first[2]), drain = drain}
end

-- Until when no create may start (NO_TIME: nobody knows), and why: 'unattended', no worker that archives was there for a
-- minute; or 'behind', the backlog does not drain before its earliest expiry. `archives`: whoever asks archives itself.
local function archive_shut(archives, now)
  local alive = not archives and archivists_alive(now) or nil
  if alive == 0 then return NO_TIME, 'unattended' end
  local found = backlog(now, alive)
  if found.drain and now + found.drain > found.expires_at then return now + BEHIND_AGAIN_MS, 'behind' end
end
