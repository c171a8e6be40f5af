-- Notes what people are to be told, once: whoever saw it first leaves one notice for each webhook.
--
-- ARGV  2 batch, or '' for what concerns all of them; 3 the occasion; 4 which one of its kind, as a mark: the same is
--       told only once; 5 [{id, channel, occasion, facts}, …]
-- Returns how many notices were left; -1 when that was told already, or the batch is not there any more.

local key = ARGV[2] == '' and KEYS[1] or batch_key(ARGV[2])
if ARGV[2] ~= '' and redis.call('EXISTS', key) == 0 then return -1 end
if redis.call('HGET', key, 'told:' .. ARGV[3]) == ARGV[4] then return -1 end
redis.call('HSET', key, 'told:' .. ARGV[3], ARGV[4])
local now, notices = now_ms(), cjson.decode(ARGV[5])
for _, notice in ipairs(notices) do
  redis.call('HSET', notice_key(notice.id), 'channel', notice.channel, 'occasion', notice.occasion,
             'facts', notice.facts, 'left_at', now, 'tries', 0)
  set_notice_due(notice.channel, notice.id, now, now)
end
return #notices
