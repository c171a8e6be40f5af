-- Whether money, or a window that has run out, keeps the first item of a queue from those deployments that could take
-- it: reckoned as admission does, with nothing changed.
--
-- ARGV  2 batch, 3 lane, 4 {prices = [a deployment's price of a second or ""], budgets as for admit.lua}
-- Returns {} when nothing waits there; else {1 when its batch's window has run out, for each deployment …}: {} when it
-- can be paid there, or {budget that would break, price or -1, spent, limit, when its period ends or -1}.

local batch, request = ARGV[2], cjson.decode(ARGV[4])
local id = redis.call('ZRANGE', P .. 'queue:' .. ARGV[3] .. ':' .. batch, 0, 0)[1]
if not id then return {} end
local now = now_ms()
local b = redis.call('HMGET', batch_key(batch), 'budget', 'reserved', 'unknown', 'confirmed', 'window')
local item = redis.call('HMGET', item_key(batch, id), 'seconds', 'price')
local own, periods = batch_budget(b[1], b[2], b[3], b[4]), period_budgets(request.budgets, now)
local answer = {b[5] and not batch_opens_at(batch, now) and 1 or 0}
for _, per_second in ipairs(request.prices) do
  local price = price_of(item[1], item[2], per_second)
  local broken = broken_by(price, own, periods)
  answer[#answer + 1] = broken
    and {broken.name, price or -1, broken.spent, broken.limit, broken.ends_at or -1} or {}
end
return answer
