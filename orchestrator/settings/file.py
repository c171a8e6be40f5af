"""`dailies.yaml` in: plain values, and the line and column at which each key stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from manifests.problem import Problem
from orchestrator.settings.schema import Location
from orchestrator.settings.tree import Place, Tree


def read_file(path: Path) -> Tree:
    """Read a YAML file of settings. What cannot be read, or stands twice, joins the tree's problems."""
    tree = Tree(file=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return _unread(
            tree, f"cannot be read: {error.strerror}", "name another file with --config or DAILIES_CONFIG"
        )
    except UnicodeDecodeError:
        return _unread(tree, "is not UTF-8 text", "save it as UTF-8")
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return tree
        _mark(node, (), tree)
        # SafeLoader builds nothing but plain values; construct_document is what yaml.safe_load calls.
        values: Any = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message = f"is not YAML: {error.problem or error.context}"
        tree.problems.append(
            Problem(tree.file, line, column, "", "", message, "mend the line, or the one above it")
        )
        return tree
    except (yaml.YAMLError, ValueError):
        return _unread(tree, "is not YAML", "see the example of dailies.yaml in README.md")
    finally:
        loader.dispose()
    if isinstance(values, dict):
        tree.values = {str(key): value for key, value in values.items()}
        return tree
    return _unread(tree, "must be a mapping of keys", "begin with a key, for example state_dir: .dailies")


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
