-- How much time is left for what is finished and not archived, and whether that should be told now.
--
-- ARGV  2 [ms, …]: thresholds of the least time left, the largest first; 3 '1': whoever asks tells what it is told to
-- Returns {ms until the next video is deleted or -1, its BATCH/ITEM or '', videos that wait, ms in which they are archived
-- or -1, workers that archive, the threshold in ms that was fallen under since it was last told or -1,
-- 'behind', 'unattended', 'refused' or '': why no creates start; 1 when that is new, -1 when it is over, else 0}.
--
-- In the meta key: `expiry_told`, how many thresholds were told of the least time left; `archive_told`, why no creates
-- start. What recovered is told again when it is so again.

local now, limits, tells = now_ms(), cjson.decode(ARGV[2]), ARGV[3] == '1'
local alive = archivists_alive(now)
local found = backlog(now, alive)
local left = found.expires_at and found.expires_at - now
local m = redis.call('HMGET', KEYS[1], 'expiry_told', 'archive_told', 'archive_closed_until')

local level, under = 0, -1
for n, limit in ipairs(limits) do
  if left and left < limit then level = n end
end
if level > tonumber(m[1] or 0) then under = limits[level] end

-- Where nobody creates, nobody waits for one that archives.
local _, why = archive_shut(not creator_alive(now), now)
if tonumber(m[3] or 0) > now then why = 'refused' end
local news = (why and not m[2]) and 1 or (m[2] and not why) and -1 or 0
if tells then
  if level ~= tonumber(m[1] or 0) then redis.call('HSET', KEYS[1], 'expiry_told', level) end
  if news == 1 then redis.call('HSET', KEYS[1], 'archive_told', why) end
  if news == -1 then redis.call('HDEL', KEYS[1], 'archive_told') end
end
return {left or -1, found.first or '', found.waiting, found.drain and math.ceil(found.drain) or -1, alive, under,
        why or '', news}
