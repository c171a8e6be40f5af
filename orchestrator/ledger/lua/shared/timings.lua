-- How long renders and steps took at a deployment.

-- Remembers how long something took at a deployment: a mean in which the last twenty count most, of how many it is, and
-- those twenty themselves, the newest first: 'MEAN COUNT MS,MS,…'.
local REMEMBERED, LONGEST_STEP = 20, 86400000
local function learn(deployment, what, took)
  if not took or took < 0 or took > LONGEST_STEP then return end    -- two clocks that differ
  local key = P .. 'timings:' .. deployment
  local mean, count, last = string.match(redis.call('HGET', key, what) or '0 0', '^(%S+) (%d+) ?(%S*)$')
  count = tonumber(count) + 1
  mean = tonumber(mean) + (took - tonumber(mean)) / math.min(count, REMEMBERED)
  local kept = {string.format('%.0f', took)}
  for each in string.gmatch(last, '[^,]+') do
    if #kept < REMEMBERED then kept[#kept + 1] = each end
  end
  redis.call('HSET', key, what, string.format('%.3f %d %s', mean, count, table.concat(kept, ',')))
end
