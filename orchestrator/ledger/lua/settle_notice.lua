-- What became of a notice that was claimed.
--
-- ARGV  2 id, 3 its tries as claimed, 4 ms until it is tried again, or '' when it is sent or given up, 5 what went wrong
-- Returns 1, or 0 when it is somebody else's by now. That it arrived is believed whoever says so.

local all, key = P .. 'notices', P .. 'notice:' .. ARGV[2]
if ARGV[4] == '' then
  redis.call('ZREM', all, ARGV[2])
  return redis.call('DEL', key)
end
if redis.call('HGET', key, 'tries') ~= ARGV[3] then return 0 end
redis.call('HSET', key, 'error', ARGV[5])
redis.call('ZADD', all, string.format('%.0f', now_ms() + tonumber(ARGV[4])), ARGV[2])
return 1
