-- Claims notices that are due, and moves their due time forward: of a worker that dies, another one takes them on.
--
-- ARGV  2 [channel, …] that whoever asks serves, 3 allowance in ms, 4 how many at most, 5 ms after which nobody wants to
--       know any more what no worker could send
-- Returns {ms until the next one is due or -1, {id, tries so far with this one, ms since it was left, channel, occasion,
-- facts}, …}. Counted before it is sent, so that one that ends its worker each time is not sent for ever.

local now, all = now_ms(), P .. 'notices'
local serves, answer, next_due = {}, {-1}, nil
for _, channel in ipairs(cjson.decode(ARGV[2])) do serves[channel] = true end

local function look(id, due)
  local key = P .. 'notice:' .. id
  local n = redis.call('HMGET', key, 'channel', 'occasion', 'facts', 'left_at')
  local age = now - tonumber(n[4] or 0)
  if not n[1] or (not serves[n[1]] and age > tonumber(ARGV[5])) then
    redis.call('ZREM', all, id)
    redis.call('DEL', key)
  elseif not serves[n[1]] then
    return
  elseif due > now and due <= now + 86400000 then        -- further off: a clock that stepped back
    if not next_due or due < next_due then next_due = due end
  elseif #answer <= tonumber(ARGV[4]) then
    redis.call('ZADD', all, string.format('%.0f', now + tonumber(ARGV[3])), id)
    answer[#answer + 1] = {id, redis.call('HINCRBY', key, 'tries', 1), age, n[1], n[2], n[3]}
  else
    next_due = now
  end
end

local found = redis.call('ZRANGE', all, 0, 999, 'WITHSCORES')
for n = 1, #found, 2 do look(found[n], tonumber(found[n + 1])) end
if next_due then answer[1] = math.max(next_due - now, 0) end
return answer
