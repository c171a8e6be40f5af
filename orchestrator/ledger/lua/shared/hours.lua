-- When creates may start: the hours of a window, as they were told; loaded behind shared/ledger.lua.

-- The interval, of {{from, until}, …}, that is open or opens next; nil after the last.
local function interval_of(intervals, now)
  for _, interval in ipairs(intervals) do
    if now < interval[2] then return interval[1], interval[2] end
  end
end

-- Since or from when the window of a batch is open; nil when none of its intervals is left.
local function batch_opens_at(batch, now)
  return tonumber(redis.call('ZRANGEBYSCORE', P .. 'window:' .. batch, '(' .. now, '+inf', 'LIMIT', 0, 1)[1])
end

