"""What reading an archived batch back has found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """What was found. Names are relative to the batch's folder, each with a sentence; `checked` counts videos, `read`
    their bytes. `by_length`: videos of which nothing but the length could be compared."""

    checked: int = 0
    read: int = 0
    by_length: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    changed: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether the archive is as its receipts say."""
        return not (self.missing or self.changed or self.extra)
