-- Where rows of a manifest stand, without changing anything: known here, changed, new; and the same elsewhere.
--
-- ARGV  2 batch, 3 {fingerprint = how many of its twins are spoken for, by rows that are not written yet},
--       4 … of each row in turn: key, fingerprint, and '1' for a row that is the same only where its source is, else ''
-- Returns for each row {verdict, state, spec, twin, alias}: `new`; `unchanged`, with the state of the item that has the
-- content; or `changed`, with that of the item that the row was so far, and its spec if it is more than queued. The
-- twin is 'BATCH/ITEM', of another batch, with the same content, queued or further, that no other row has yet; or ''.
-- The alias is 1 for a row that is not here, while an item of this batch under another key has its content.
--
-- The verdict is the one that submit.lua acts on.

local batch, spoken_for = ARGV[2], cjson.decode(ARGV[3])
local rows, known = {}, {}

local function state_of(ref, fingerprint)
  local i = redis.call('HMGET', P .. 'item:' .. ref, 'state', 'fingerprint')
  return i[2] == fingerprint and not ENDED[i[1]] and i[1] or nil
end

-- Once a call and content, however many rows have it: the twins that are free, and whether this batch has an item too.
local function look_up(fingerprint)
  local others, used, here = {}, {}, false
  for _, ref in ipairs(items_with(fingerprint)) do
    if string.sub(ref, 1, #batch + 1) ~= batch .. '/' then
      others[#others + 1] = ref
    elseif state_of(ref, fingerprint) then
      here = true
      used[redis.call('HGET', P .. 'item:' .. ref, 'twin') or ''] = true
    end
  end
  local free = {}
  for _, ref in ipairs(others) do
    if not used[ref] and state_of(ref, fingerprint) then free[#free + 1] = ref end
  end
  return {free = free, next = 1 + (spoken_for[fingerprint] or 0), here = here}
end

for a = 4, #ARGV, 3 do
  local key, fingerprint = ARGV[a], ARGV[a + 1]
  local f = redis.call('HMGET', item_key(batch, key), 'latest', 'revisions')
  local same = f[1] and revision_with(batch, key, tonumber(f[2]), fingerprint)
  local row = {'new', '', '', '', 0}
  if same then
    row = {'unchanged', redis.call('HGET', item_key(batch, same), 'state'), '', '', 0}
  elseif f[1] then
    local state = redis.call('HGET', item_key(batch, f[1]), 'state')
    row = {'changed', state, state ~= 'waiting' and redis.call('HGET', P .. 'specs:' .. batch, f[1]) or '', '', 0}
  end
  if not same and ARGV[a + 2] == '' then
    local found = known[fingerprint] or look_up(fingerprint)
    known[fingerprint] = found
    row[4] = found.free[found.next] or ''
    if row[4] ~= '' then found.next = found.next + 1 end
    row[5] = found.here and 1 or 0
  end
  rows[#rows + 1] = row
end
return rows
