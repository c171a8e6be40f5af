-- Where rows of a manifest stand, without changing anything: known here, changed, new; and the same elsewhere.
--
-- ARGV  2 batch, 3 … key and fingerprint of each row, in turn
-- Returns for each row {verdict, state, id, spec or "", twin …}: `new`; `unchanged`, with the state and id of the item
-- that has the content; or `changed`, with those of the item that the row was so far, and its spec if it is more than
-- queued. Each twin is {"BATCH/ITEM", state}: an item of another batch with the same content, queued or further.
--
-- The verdict is the one that submit.lua acts on.

local batch = ARGV[2]
local rows = {}

-- Those that an item of this batch uses already are left out: each take is used once.
local function twins_of(fingerprint)
  local refs = redis.call('HGET', P .. 'prints', print_field(fingerprint)) or ''
  local others, used, twins = {}, {}, {}
  for ref in string.gmatch(refs, '%S+') do
    if string.sub(ref, 1, #batch + 1) ~= batch .. '/' then
      others[#others + 1] = ref
    else
      used[redis.call('HGET', P .. 'item:' .. ref, 'twin') or ''] = true
    end
  end
  for _, ref in ipairs(others) do
    local t = redis.call('HMGET', P .. 'item:' .. ref, 'state', 'fingerprint')
    if not used[ref] and t[1] and not ENDED[t[1]] and t[2] == fingerprint then twins[#twins + 1] = {ref, t[1]} end
  end
  return twins
end

local function state_of(id) return redis.call('HGET', item_key(batch, id), 'state') end

for a = 3, #ARGV, 2 do
  local key, fingerprint = ARGV[a], ARGV[a + 1]
  local f = redis.call('HMGET', item_key(batch, key), 'latest', 'revisions')
  local same = f[1] and revision_with(batch, key, tonumber(f[2]), fingerprint)
  local row
  if same then
    row = {'unchanged', state_of(same), same, ''}
  else
    row = {'new', '', '', ''}
    if f[1] then
      local state = state_of(f[1])
      row = {'changed', state, f[1], state ~= 'waiting' and redis.call('HGET', P .. 'specs:' .. batch, f[1]) or ''}
    end
    for _, twin in ipairs(twins_of(fingerprint)) do row[#row + 1] = twin end
  end
  rows[#rows + 1] = row
end
return rows
