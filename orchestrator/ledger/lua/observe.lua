-- What many looks saw that changes no state: each is written if nobody decided anything since, and is due again.
--
-- ARGV  2 {{batch, item, version that was claimed, {field = value} of the item, {…} of the attempt, due in ms}, …}
-- Returns for each 1; 0 when the version is another one or the table has no such move; -1 when Redis refused it.
--
-- What is due in a while comes due on a grid that all share, up to a 128th of that time later: many items then come due
-- at one instant, and are claimed, loaded and written together.

local GRID_PART = 128
local now = now_ms()

local function on_grid(in_ms)
  local step = 2 ^ math.max(math.floor(math.log(in_ms / GRID_PART) / math.log(2)), 0)
  return string.format('%.0f', math.ceil((now + in_ms) / step) * step)
end

local function observe(batch, id, version, item, attempt, in_ms)
  local key = item_key(batch, id)
  local i = redis.call('HMGET', key, 'state', 'v', 'attempt', 'deployment')
  local to = i[1] and TABLE.observed[i[1]]
  if tonumber(i[2]) ~= version or not to then return 0 end
  set_fields(key, item)
  set_fields(attempt_key(batch, id, i[3]), attempt)
  move(batch, id, i[1], to, now)
  redis.call('ZADD', open_key(i[4]), on_grid(math.max(in_ms, 1)), attempt_ref(batch, id, i[3]))
  return 1
end

local answers = {}
for n, each in ipairs(cjson.decode(ARGV[2])) do
  local done, answer = pcall(observe, unpack(each))
  answers[n] = done and answer or -1
end
return answers
