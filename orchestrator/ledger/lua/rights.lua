-- Which commands the user that runs this may not run: an ACL with a gap shows now, not in the middle of the night.
--
-- ARGV[2] = JSON list of commands, each a list of words. Answers the places (counted from 0) of those that are refused;
-- none where the server cannot tell (before Redis 7). Nothing is carried out.

local refused = {}
if redis.acl_check_cmd then
  for place, words in ipairs(cjson.decode(ARGV[2])) do
    if not redis.acl_check_cmd(unpack(words)) then refused[#refused + 1] = place - 1 end
  end
end
return refused
