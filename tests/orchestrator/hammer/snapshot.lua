-- All that a namespace holds, at one instant: {{key, type, what is in it}, …} as JSON; hashes and sorted sets are flat.
--
-- ARGV  1 the prefix of every key

local READ = {hash = {'HGETALL'}, zset = {'ZRANGE', 0, -1}, set = {'SMEMBERS'}}
local found = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local read = READ[kind]
  if read then found[#found + 1] = {key, kind, redis.call(read[1], key, unpack(read, 2))} end
end
return cjson.encode(found)
