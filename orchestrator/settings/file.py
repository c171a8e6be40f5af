"""`dailies.yaml` in: plain values, and the line and column at which each key stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from manifests.problem import Problem
from orchestrator.settings.schema import Location
from orchestrator.settings.tree import Place, Tree

# The head of a parser's message in which quotes hold nothing but one character or the name of a kind of token.
UNQUOTING = re.compile(r"""(?:[^'"]|'(?:\\?[^'"]|<[a-z ]+>)'|"'")*""")
# 22:00 is a time of day to everybody but YAML 1.1, where it is a number to the base of 60.
BASE_60 = re.compile(r"[-+]?[0-9_]+(:[0-5]?[0-9])+(\.[0-9_]*)?")
# There `on` means `true`, also where it is a key. A setting that is true or false takes the word too.
WORDS = re.compile(r"on|off|yes|no", re.IGNORECASE)


class Loader(yaml.SafeLoader):
    """Plain values, as YAML 1.2 has them where the older version surprises people."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """The tag of a node."""
        if kind is yaml.ScalarNode and implicit[0] and (BASE_60.fullmatch(value) or WORDS.fullmatch(value)):
            return "tag:yaml.org,2002:str"
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


def read_file(path: Path) -> Tree:
    """Read a YAML file of settings. What cannot be read, or stands twice, joins the tree's problems."""
    tree = Tree(file=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return _unread(tree, f"cannot be read: {error.strerror}", "name another file with --config or DAILIES_CONFIG")
    except UnicodeDecodeError:
        return _unread(tree, "is not UTF-8 text", "save it as UTF-8")
    try:
        values = _values(text, tree)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message = f"is not YAML: {_unquoting(error.problem or error.context or '')}"
        tree.problems.append(Problem(tree.file, line, column, "", "", message, "mend the line, or the one above it"))
        return tree
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):
        # Also what PyYAML lets through: for `!!bool word`, `!!timestamp word`, and a list that holds itself.
        return _unread(tree, "is not YAML", "see the example of dailies.yaml in README.md")
    if values is None:
        return tree
    if isinstance(values, dict):
        tree.values = {str(key): value for key, value in values.items()}
        return tree
    return _unread(tree, "must be a mapping of keys", "begin with a key, for example state_dir: .dailies")


def _values(text: str, tree: Tree) -> Any:
    """The file's plain values, None where it is empty. The places of its keys are noted in the tree."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _mark(node, (), tree)
        # SafeLoader builds nothing but plain values; construct_document is what yaml.safe_load calls.
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _unquoting(said: str) -> str:
    """A parser's message up to where it quotes the file: an alias or a tag there may be a secret after a slip."""
    kept = UNQUOTING.match(said)
    return kept[0].rstrip(" :,") if kept else ""


def _mark(node: yaml.Node, location: Location, tree: Tree) -> None:
    """Note each key's place. Of two equal keys YAML silently takes the last, so the second is a problem."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            here = (*location, name)
            tree.places[here] = Place(tree.file, key.start_mark.line + 1, key.start_mark.column + 1)
            if name in seen:
                tree.problems.append(tree.problem(here, "stands twice", hint="keep one of the two"))
            seen.add(name)
            _mark(value, here, tree)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            mark = value.start_mark
            tree.places[*location, index] = Place(tree.file, mark.line + 1, mark.column + 1)
            _mark(value, (*location, index), tree)


def _unread(tree: Tree, message: str, hint: str) -> Tree:
    tree.problems.append(Problem(tree.file, None, None, "", "", message, hint))
    return tree
