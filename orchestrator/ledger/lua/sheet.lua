-- Keeps the claim on a running batch's contact sheet, or ends it.
--
-- ARGV  2 batch, 3 the claim's version, 4 'renew' or 'end', 5 ms: for how long it is kept (0: given back, due at once);
--       or until the page may be written again, if something moved since the claim
-- Returns 1, or 0 when the claim is another worker's, or the batch has ended: its report writes the page then.

local batch, sheets = ARGV[2], P .. 'sheets'
local key, due = batch_key(batch), string.format('%.0f', now_ms() + tonumber(ARGV[5]))
local b = redis.call('HMGET', key, 'sheet_v', 'state', 'moved_at', 'sheet_began')
if b[1] ~= ARGV[3] or not b[4] then return 0 end
if ARGV[4] == 'renew' then
  if b[2] == 'final' or not redis.call('ZSCORE', sheets, batch) then return 0 end
  redis.call('ZADD', sheets, due, batch)
  return 1
end
redis.call('HDEL', key, 'sheet_began')
if b[2] ~= 'final' and tonumber(b[3] or 0) >= tonumber(b[4]) then
  redis.call('ZADD', sheets, due, batch)
else
  redis.call('ZREM', sheets, batch)
end
return 1
