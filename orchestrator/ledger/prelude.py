"""What stands before a script: of the shared Lua, those parts that it uses, itself or through another part.

Redis runs a script from its first line at every call. All that is shared, made anew each time, would cost more than
many a script itself.
"""

from __future__ import annotations

import re

#: A statement at the left margin; what is indented, or ends a block there, goes on with it.
_PART = re.compile(r"^(?=[A-Za-z])(?!end\b)", re.MULTILINE)
_DEFINED = re.compile(r"local function (\w+)|(?:local )?(\w+(?:, \w+)*)(?: =|\n)")
#: Comments and strings are read over, and so is what a dot stands before: the field of a table.
_WORD = re.compile(r"""--[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|(?<!\w\.)\b([A-Za-z_]\w*)""")


def with_parts(shared: str, script: str) -> str:
    """The script behind those parts of `shared` that it cannot do without, in their order."""
    parts = _PART.split(shared)[1:]
    kept: set[int] = set()
    needed = _words(script)
    while more := {n for n, part in enumerate(parts) if n not in kept and _names(part) & needed}:
        kept |= more
        needed = needed.union(*(_words(parts[n]) for n in more))
    return "".join(parts[n] for n in sorted(kept)) + script


def _names(part: str) -> set[str]:
    """What it defines. ValueError where it does something else: nobody could say who needs that."""
    found = _DEFINED.match(part)
    if not found:
        raise ValueError(f"shared Lua only defines names, and this does more: {part}")
    return set((found[1] or found[2]).split(", "))


def _words(text: str) -> set[str]:
    return {found[1] for found in _WORD.finditer(text) if found[1]}
