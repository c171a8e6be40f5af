-- What became of a notice that was claimed.
--
-- ARGV  2 id, 3 its tries as claimed, 4 ms until it is tried again, or '' when it is sent or given up, 5 what went wrong
-- Returns 1, or 0 when it is somebody else's by now. That it arrived is believed whoever says so.

local n = redis.call('HMGET', notice_key(ARGV[2]), 'tries', 'channel')
if ARGV[4] == '' then return drop_notice(ARGV[2], n[2]) end
if n[1] ~= ARGV[3] then return 0 end
local now = now_ms()
redis.call('HSET', notice_key(ARGV[2]), 'error', ARGV[5])
set_notice_due(n[2], ARGV[2], string.format('%.0f', now + tonumber(ARGV[4])), now)
return 1
