"""Adjustments: what somebody says about a manifest without editing it, by the options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from manifests.key import BATCH_NAME_RULE, better_batch_name, is_batch_name
from manifests.problem import Problems, Spot, excerpt
from manifests.readers.row import Row, plain
from manifests.vocabulary.fields import SCALARS, likely_field
from manifests.vocabulary.spelling import field_name
from manifests.window import Window


@dataclass(frozen=True, slots=True)
class Adjustments:
    """What the options of `validate`, `plan`, `run` and `submit` say. Names and values are as they were typed.

    - `name`, `budget_usd`, `window`: of the batch, instead of what the file says or is called
    - `fields`: field → value, for every row; goes before what rows and defaults say, and may have placeholders
    - `columns`: field → the column (of JSONL and YAML: the name or label) that is that field
    - `key`: a text with placeholders, instead of a column `key`
    - `where`: (column, label or field; value) that all must hold for a row to count
    - `sample`: how many items, the same ones every time; None for all
    - `sheet`: of a workbook, None for the first
    """

    name: str | None = None
    budget_usd: Decimal | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    sample: int | None = None
    sheet: str | None = None
    window: Window | None = None


NOTHING = Adjustments()


class _Options:
    """The places of values that stand in no file: the options that gave them. What is wrong there is said once."""

    def __init__(self, file: str, key_option: bool) -> None:
        self.file, self._key_option = file, key_option

    def spot(self, _line: int, *names: str) -> Spot:
        name = names[-1] if names else ""
        option = "--key" if name == "key" and self._key_option else f"--set {name}".rstrip()
        return Spot(self.file, None, None, option, shared=True)

    def knows(self, _name: str) -> bool:
        return False


def forced_row(adjustments: Adjustments, file: str) -> Row | None:
    """What every row is made to say, as a row of its own; None when that is nothing. `file`: the manifest's."""
    named = {field_name(name): plain(value) for name, value in adjustments.fields.items()}
    fields = {name: value for name, value in named.items() if value and name in SCALARS}
    if adjustments.key is not None and adjustments.key.strip():
        fields["key"] = plain(adjustments.key)
    return Row(0, _Options(file, adjustments.key is not None), fields) if fields else None


def check(adjustments: Adjustments, file: str, problems: Problems) -> None:
    """Notes what is wrong with the adjustments themselves, whatever the manifest says."""

    def wrong(option: str, value: str, message: str, hint: str) -> None:
        problems.add(Spot(file, None, None, option), value, message, hint)

    name, key, columns = adjustments.name, adjustments.key, adjustments.columns
    if name is not None and not is_batch_name(name):
        better = better_batch_name(name)
        wrong("--name", name, BATCH_NAME_RULE, f"write --name {better}" if better else "write --name spring, say")
    if adjustments.budget_usd is not None and not adjustments.budget_usd > 0:
        message = "must be an amount in US dollars, more than 0"
        wrong("--budget-usd", str(adjustments.budget_usd), message, "write --budget-usd 120.50, say")
    if adjustments.sample is not None and adjustments.sample < 1:
        wrong("--sample", str(adjustments.sample), "must be a whole number from 1", "write how many videos to try")
    for option, names in (("--set", adjustments.fields), ("--map", columns)):
        for named, value in names.items():
            if field_name(named) not in SCALARS:
                near = likely_field(named)
                hint = f"did you mean {option} {near}=…?" if near else f"an item's fields are {', '.join(SCALARS)}"
                message = f"{excerpt(named)} is no field that {option} can give a row"
                wrong(f"{option} {named}", named, message, hint)
            elif not value.strip():
                message = f"nothing is given for {named}"
                wrong(f"{option} {named}", "", message, f"write {option} {named}=…, or leave {option} out")
    for named, value in adjustments.where:
        if not named.strip():
            wrong(f"--where ={value}", value, "no column is named", "write --where COLUMN=VALUE")
    if key is not None and not key.strip():
        wrong("--key", "", "the key is empty", 'write how keys are made: --key "{sku}-{market}"')
    elif key is not None and "key" in map(field_name, adjustments.fields):
        wrong("--key", key, "--set key and --key both say what the key is", "leave one of them out")
    fields_of: dict[str, str] = {}
    for named, column in columns.items():
        if field_name(named) not in SCALARS:
            continue
        other = fields_of.setdefault(field_name(column), named)
        if other != named:
            message = f"the column {excerpt(column)} cannot be {other} and {named} at once"
            wrong(f"--map {named}", column, message, f"leave --map {other} or --map {named} out")
