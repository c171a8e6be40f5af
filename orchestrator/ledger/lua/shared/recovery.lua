-- Whether this ledger may have lost what it once knew; loaded behind shared/ledger.lua and in front of shared/desk.lua.
--
-- A Redis that began anew (a restart, a failover, a restored copy, an empty one) has another run_id. Until the list of a
-- scope (an endpoint and its api) was looked through under this one, no create leaves there: what was sent and forgotten
-- would be paid for twice. The hash 'recovery:SCOPE' has
--   trusted        the run_id under which the list was last looked through, or a person said that it need not be
--   noticed_at     since when that is to be done again (ms), under which run_id (`noticed_run`)
--   since          when the newest job known then was created (Unix seconds, the provider's clock); absent: none is known
--   bare           1: nothing was known of this scope
--   clean          1: the last life of this ledger ended with nobody at work
--   number         of the claim of whoever looks
--   error          why the last look told nothing; `person` 1: only a person can go on
--   next_at        when it is looked at again, where somebody looked and it was too early to tell, or could not be told (ms)
--   settled        1: it was looked through under this run_id before; rows came since
--   strays         jobs listed there that nobody here knows; strays_since: when the oldest was created. What is
--                  submitted later is compared with them first
-- The sorted set 'recover' says when which scope is due, the set 'strays' which have any. In the meta hash, `guarded` is 1 once a worker that can look has
-- admitted; `left` is 1 after the last user of an embedded Redis left it, until somebody creates again (`trusted_run`: under
-- which run_id somebody may have).

local NEVER_ASKED = 'not told'        -- a server that does not answer INFO: then only an empty ledger is noticed
local LONGEST_LOOK = 600000
local its_run_id
local function run_id()
  if not its_run_id then
    local answer = redis.pcall('INFO', 'server')
    its_run_id = type(answer) == 'string' and string.match(answer, 'run_id:(%w+)') or NEVER_ASKED
  end
  return its_run_id
end

local function recovery_key(scope) return P .. 'recovery:' .. scope end

local trusted = {}
local function is_trusted(scope)
  if trusted[scope] == nil then trusted[scope] = redis.call('HGET', recovery_key(scope), 'trusted') == run_id() end
  return trusted[scope]
end

-- Notes that a scope is to be looked through, once for each run of the server, and sees to it that it is due.
local function notice(scope, now)
  local key, due = recovery_key(scope), P .. 'recover'
  local r = redis.call('HMGET', key, 'noticed_run', 'noticed_at', 'trusted')
  if r[1] ~= run_id() or not r[2] then
    local newest = redis.call('ZRANGE', P .. 'known:' .. scope, -1, -1, 'WITHSCORES')
    -- One that was not looked through to its end is not known to its end either: what was noted first counts.
    if not r[2] then
      redis.call('HDEL', key, 'since', 'bare')
      if newest[2] then redis.call('HSET', key, 'since', newest[2]) else redis.call('HSET', key, 'bare', 1) end
    end
    redis.call('HSET', key, 'noticed_run', run_id(), 'noticed_at', now)
    redis.call('HDEL', key, 'clean', 'settled', 'error', 'person', 'next_at')
    if r[3] and redis.call('HEXISTS', KEYS[1], 'left') == 1 then redis.call('HSET', key, 'clean', 1) end
    redis.call('ZADD', due, now, scope)
    return
  end
  local at = tonumber(redis.call('ZSCORE', due, scope) or 0)
  if at == 0 or at > now + LONGEST_LOOK then redis.call('ZADD', due, now, scope) end    -- the clock stepped back
end

-- Creates may leave there again.
local function trust(scope)
  local key = recovery_key(scope)
  redis.call('HSET', key, 'trusted', run_id())
  redis.call('HDEL', key, 'noticed_at', 'noticed_run', 'since', 'bare', 'clean', 'settled', 'number', 'error', 'person',
             'next_at')
  redis.call('ZREM', P .. 'recover', scope)
  redis.call('HSET', KEYS[1], 'trusted_run', run_id())
  redis.call('HDEL', KEYS[1], 'left')
end

-- Jobs are listed there that nobody here knows.
local function note_strays(scope, count, since)
  local key = recovery_key(scope)
  if count > 0 then
    redis.call('HSET', key, 'strays', count, 'strays_since', string.format('%.3f', since))
    redis.call('SADD', P .. 'strays', scope)
  else
    redis.call('HDEL', key, 'strays', 'strays_since')
    redis.call('SREM', P .. 'strays', scope)
  end
end

-- Has a scope looked through again that was before: nothing of an earlier life can be on its way there any more.
local function doubt(scope, now)
  if not is_trusted(scope) then return end
  trusted[scope] = false
  redis.call('HDEL', recovery_key(scope), 'trusted')
  notice(scope, now)
  redis.call('HSET', recovery_key(scope), 'settled', 1)
end

-- A row, or an item that was sent before, came to wait: no look has compared it with the jobs that nobody here knows, and
-- one of them may have been made for it in a life of this ledger that is forgotten.
local function came_to_wait(now)
  if redis.call('HEXISTS', KEYS[1], 'guarded') == 1 then redis.call('HSET', KEYS[1], 'sealed_at', now) end
  for _, scope in ipairs(redis.call('SMEMBERS', P .. 'strays')) do doubt(scope, now) end
end

-- A person says that a scope need not be looked through.
local function trust_by_hand(scope)
  trust(scope)
  note_strays(scope, 0)
end

-- Whoever looks, for so long: the number that fences what he finds.
local function claim_recovery(scope, now, allowance)
  local key = recovery_key(scope)
  local number = math.max(now, tonumber(redis.call('HGET', key, 'number') or 0) + 1)
  redis.call('HSET', key, 'number', string.format('%.0f', number))
  redis.call('HDEL', key, 'next_at')
  redis.call('ZADD', P .. 'recover', string.format('%.0f', now + allowance), scope)
  return number
end
