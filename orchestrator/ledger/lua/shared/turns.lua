-- Whose turn it is where several deployments could take something.

-- Of these desks the one that takes first: models take turns, and of one model's the smallest `order` is first, equal ones
-- in turn. `pass_of`: how far what it names has come.
local function whose_turn(able, pass_of)
  local front, models = {}, {}
  for _, desk in ipairs(able) do
    local facts = desk.facts
    local other = front[facts.model]
    if not other then models[#models + 1] = facts.model end
    if not other or facts.order < other.facts.order or (facts.order == other.facts.order
        and pass_of('deployment:' .. facts.name) < pass_of('deployment:' .. other.name)) then
      front[facts.model] = desk
    end
  end
  local model = models[1]
  for other = 2, #models do
    if pass_of('model:' .. models[other]) < pass_of('model:' .. model) then model = models[other] end
  end
  return front[model]
end
