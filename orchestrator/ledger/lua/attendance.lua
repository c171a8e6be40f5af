-- Which steps nobody runs though somebody works, and whether that should be told now.
--
-- ARGV  2 [step, …]; 3 '1': whoever asks tells what it is told to
-- Returns {step, since when nobody runs it (ms), 1 when that is to be told, -1 when it is over, else 0, step, …}: what
-- nobody has run for a minute, and what somebody runs again.
--
-- In the meta key: `unmanned:STEP`, since when nobody runs it; `unmanned_told:STEP` once that was told. A fleet that starts
-- is given the time in which a worker that stopped is still taken for there.

local now, steps, tells = now_ms(), cjson.decode(ARGV[2]), ARGV[3] == '1'
local alive, seen = crew_alive(now), 0
for _, count in pairs(alive) do seen = math.max(seen, count) end
local answer = {}
-- Workers of a release that does not say what it runs may run anything.
local unsaid = archivists_alive(now) > (alive.archive or 0)
for _, step in ipairs(steps) do
  local since_field, told_field = 'unmanned:' .. step, 'unmanned_told:' .. step
  local m = redis.call('HMGET', KEYS[1], since_field, told_field)
  local since, news = tonumber(m[1]), 0
  if alive[step] or unsaid or seen == 0 then
    news = m[2] and alive[step] and -1 or 0
    if since and tells then redis.call('HDEL', KEYS[1], since_field, told_field) end
    since = nil
  elseif not since or since > now then
    since = now                                            -- or noticed by a clock that stepped back
    if tells then redis.call('HSET', KEYS[1], since_field, now) end
  elseif now - since >= ALIVE_MS and not m[2] then
    news = 1
    if tells then redis.call('HSET', KEYS[1], told_field, 1) end
  end
  if news ~= 0 or since and now - since >= ALIVE_MS then
    answer[#answer + 1], answer[#answer + 2], answer[#answer + 3] = step, since or now, news
  end
end
return answer
