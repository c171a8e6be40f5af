-- What became of a remote video that is to be deleted.
--
-- ARGV  2 batch, 3 item, 4 attempt, 5 ms until it is tried again, or '' when it is over; 6 '1': that counts as a try
-- Returns 1, or 0 when it was over already.

local all, ref = P .. 'deletions', attempt_ref(ARGV[2], ARGV[3], ARGV[4])
if ARGV[5] == '' then return redis.call('ZREM', all, ref) end
if not redis.call('ZSCORE', all, ref) then return 0 end
redis.call('ZADD', all, string.format('%.0f', now_ms() + tonumber(ARGV[5])), ref)
if ARGV[6] == '1' then redis.call('HINCRBY', attempt_key(ARGV[2], ARGV[3], ARGV[4]), 'delete_tries', 1) end
return 1
