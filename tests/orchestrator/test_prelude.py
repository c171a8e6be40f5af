"""A script gets, of the shared Lua, what it uses, and nothing else."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from orchestrator.ledger.prelude import with_parts
from orchestrator.ledger.store import Store

SHARED = """-- Shared.
local STEP = 4

-- Twice a step.
local function twice(n)
  if n then return n * STEP end
end

local later, never
later = function(n)
  return twice(n)
end
local unused = {
  step = twice,
}
"""


def test_a_script_gets_what_it_uses_through_other_parts_too() -> None:
    text = with_parts(SHARED, "return later(2)\n")
    assert "local STEP = 4" in text
    assert text.index("local function twice") < text.index("local later, never") < text.index("later = function")
    assert "unused" not in text
    assert text.endswith("end\nreturn later(2)\n")


def test_a_name_in_a_comment_a_string_or_behind_a_dot_is_not_used() -> None:
    script = "-- as twice does\nlocal text = 'twice \\' later' .. \"STEP\"\nreturn text.unused\n"
    assert with_parts(SHARED, script) == script
    assert "local STEP = 4" in with_parts(SHARED, "return 'a'..STEP")


def test_shared_lua_that_does_more_than_define_is_refused() -> None:
    """Nobody could say which script needs it."""
    with pytest.raises(ValueError, match="only defines names"):
        with_parts("for _, n in ipairs({}) do twice(n) end\n", "return 1")


def test_no_script_names_what_it_was_not_given(store: Store) -> None:
    """As another reading of them finds: line by line, without strings and comments."""
    defines = re.compile(r"^(?:local function (\w+)|local (\w+(?:, \w+)*)|(\w+) = function)", re.MULTILINE)

    def defined(text: str) -> set[str]:
        return {name for found in defines.finditer(text) for name in next(filter(None, found.groups())).split(", ")}

    shared = [path.read_text("utf-8") for path in (files("orchestrator.ledger") / "lua" / "shared").iterdir()]
    everything = set().union(*map(defined, shared))
    assert {"move", "now_ms", "open_desk"} < everything
    for name, script in store.scripts._plain.items():
        text = str(script.script)
        code = "\n".join(re.sub(r"'[^']*'", "''", line).partition("--")[0] for line in text.splitlines())
        local = set(re.findall(r"\blocal (?:function )?(\w+)", code)) | defined(code)
        for names in re.findall(r"\bfunction \w*\(([^)]*)\)|\bfor ([\w, ]+) in\b|\blocal ([\w, ]+) =", code):
            local |= {each.strip() for each in ",".join(names).split(",")}
        used = set(re.findall(r"(?<![.\w])(\w+)(?!\w)(?! = [^=])", code))
        assert used & everything <= local, (name, (used & everything) - local)
