"""Renaming: `--map` says which column is a field, whatever the column is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manifests.problem import Problems, Spot, excerpt
from manifests.readers.node import Node, NodePlaces
from manifests.vocabulary.fields import SCALARS, nearest_few
from manifests.vocabulary.spelling import field_name, tidy


class Renaming:
    """The columns that are fields under another name; one for each reading of a manifest.

    A column is known as it is written, else by its letters alone: `shot text` is `Shot_Text`. In JSONL and YAML a
    column is a name or a label of an item. `file`: the manifest's, as messages name it.
    """

    def __init__(self, columns: Mapping[str, str], file: str, problems: Problems) -> None:
        self._file, self._problems = file, problems
        named = {field_name(name): tidy(column) for name, column in columns.items()}
        self._columns = {field: column for field, column in named.items() if column and field in SCALARS}
        self._fields = {field_name(column): field for field, column in self._columns.items()}
        self._met: set[str] = set()
        self._known: dict[str, None] = {}

    def field_of(self, name: str) -> str | None:
        """The field that is meant by the name of a column that was renamed."""
        return self._fields.get(field_name(name))

    def waits_for(self, field: str) -> bool:
        """Whether the column of a field was to be there, and has not been found up to now."""
        return field in self._columns and field not in self._met

    def of_header(self, written: Sequence[str]) -> dict[int, str]:
        """Which columns of a table are which fields; `written` tidied, the columns counted from 0."""
        self._known.update(dict.fromkeys(filter(None, written)))
        found: dict[int, str] = {}
        for field, column in self._columns.items():
            places = [at for at, name in enumerate(written) if name == column]
            places = places or [at for at, name in enumerate(written) if name and self.field_of(name) == field]
            found.update(dict.fromkeys(places, field))
            if places:
                self._met.add(field)
        return found

    def of_item(self, node: Node, places: NodePlaces) -> Node:
        """An item with its names and labels renamed; `places` then finds them where they were written."""
        if not isinstance(node.content, dict):
            return node
        content, paths = dict(node.content), dict(places.paths or {})
        labels = content.get("labels")
        inner = dict(labels.content) if labels is not None and isinstance(labels.content, dict) else {}
        moved: dict[str, tuple[str, Node]] = {}
        for names, prefix in ((content, ""), (inner, "labels.")):
            for name in [name for name in names if name not in ("labels", "matrix")]:
                self._known.setdefault(name)
                field = self.field_of(name)
                if field is None:
                    continue
                self._met.add(field)
                if field != name and field not in moved:
                    moved[field] = f"{prefix}{paths.get(name, name)}", names.pop(name)
        if labels is not None and isinstance(labels.content, dict):
            content["labels"] = Node(inner, labels.line, labels.column, labels.key_line, labels.key_column)
        for field, (path, value) in moved.items():
            if field in content and content[field].content is not None:
                self.doubled(field, path.rpartition(".")[2], field)
            content[field], paths[field] = value, path
        places.paths = paths
        places.node = Node(content, node.line, node.column, node.key_line, node.key_column)
        return places.node

    def doubled(self, field: str, column: str, own: str) -> None:
        """Notes, once, that a field has a column of its own beside the one that was renamed."""
        message = f"the column {excerpt(column)} is to be {field}, and there is a column {excerpt(own)} as well"
        hint = f"leave --map {field} out, or give the column {excerpt(own)} another name"
        self._problems.add(self._spot(field), column, message, hint)

    def check(self) -> None:
        """Notes, after the last row, which columns were never met."""
        known = list(self._known)
        for field, column in self._columns.items():
            if field not in self._met:
                near = nearest_few(column, known)
                named = ", ".join(map(excerpt, near or known[:12]))
                hint = f"did you mean {named}?" if near else f"the columns are {named}" if named else "it has none"
                self._problems.add(self._spot(field), column, f"there is no column {excerpt(column)}", hint)

    def _spot(self, field: str) -> Spot:
        return Spot(self._file, None, None, f"--map {field}", shared=True)
