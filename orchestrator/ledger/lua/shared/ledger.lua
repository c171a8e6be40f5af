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
local KNOWN_MOST = 200                -- remote jobs remembered for each listing, the newest
local UNHURRIED_MS = 604800000        -- a week

local ITEM_PAUSE = {'paused', 'paused_at', 'paused_by', 'paused_reason'}

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
