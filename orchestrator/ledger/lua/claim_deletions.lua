-- Claims archived videos that are still to be deleted at their provider, and moves their due time forward: of a worker
-- that dies, another one takes them on.
--
-- ARGV  2 allowance in ms, 3 how many at most
-- Returns {batch, item, attempt}, …
--
-- 'deletions': attempt → when its remote video is to be deleted next, ms. It comes there with the move to archived.

local LONGEST_MS = 7200000     -- no pause is longer: what is due further off comes of a clock that stepped back
local all, now, claims = P .. 'deletions', now_ms(), {}

for _, ref in ipairs(redis.call('ZRANGEBYSCORE', all, now + LONGEST_MS, '+inf', 'LIMIT', 0, 100)) do
  redis.call('ZADD', all, now, ref)
end
for _, ref in ipairs(redis.call('ZRANGEBYSCORE', all, '-inf', now, 'LIMIT', 0, ARGV[3])) do
  local batch, id, n = string.match(ref, '^([^/]+)/(.+)#(%d+)$')
  redis.call('ZADD', all, string.format('%.0f', now + tonumber(ARGV[2])), ref)
  claims[#claims + 1] = {batch, id, tonumber(n)}
end
return claims
