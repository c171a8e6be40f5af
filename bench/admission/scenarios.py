"""The nights: what the provider allows, what people believe it allows, and who works.

A night is a minute, so everything is some thirty times as quick as in earnest: renders of 3 to 6 s for 90 to 180 s,
and 120 creates a minute for 4. Whoever waits, waits the same part of what he would wait: the looks every 10 s of a
user's script, and the first look, usual gap and closest gap of our settings, are divided by `SCALE` alike. What does
not shrink is what a request takes, nor the pauses that are built into a program.

The bound may send all of a window's creates at once, where the product paces them evenly. Over eight hours that is
nothing; in a night of a minute it may be a tenth. So where makespan has a goal, number of items and seed are such that
a night of even creates could end within 1.5 % of the bound; beside a neighbour that was told of within 4.5 %, since
whoever comes evenly has 13 creates in each window where the bound has 13 or 14. With another `--items` it may not.

Beside a neighbour that nobody told of, a night lasts two minutes: among fewer creates after learning, one refused
would be nearly all that the goal allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SCALE = 30.0
LOOK_S = 10.0 / SCALE
#: What scripts sleep after a 429 that says nothing of when to come again.
AGAIN_S = 10.0 / SCALE
#: What Azure documents, where nobody measured.
DOCUMENTED_AT_ONCE = 2
#: What was learned is asked about once this share of the videos was accepted.
FIRST_SHARE = 1 / 3

Refusals = Literal["none", "learned"]


@dataclass(frozen=True)
class Quota:
    """A deployment's quota; None is no such limit. `concurrent: auto` is only ever believed, and so is what is reserved
    for others: whoever cannot be told of it is told the rate without."""

    name: str
    per_minute: int | None = None
    concurrent: int | Literal["auto"] | None = None
    reserve_per_minute: int = 0


@dataclass(frozen=True)
class Scenario:
    """`told`: the quotas that are configured, where they are not the real ones.

    makespan   the goal of makespan ÷ bound; None: only to be ahead of every peer
    refusals   none: not one 429; learned: under 2 % of the videos once a third of them is under way
    """

    name: str
    title: str
    real: tuple[Quota, ...]
    items: int
    makespan: float | None
    told: tuple[Quota, ...] = ()
    refusals: Refusals = "none"
    processes: int = 1
    neighbour_per_minute: int = 0
    render_s: tuple[float, float] = (3.0, 6.0)
    #: Within any such window a rate is kept, strictly.
    window_s: float = 10.0
    #: Whether refused creates fill that window too: nobody knows which of the two Azure does.
    count_refused: bool = False
    seed: int = 7

    def configured(self) -> tuple[Quota, ...]:
        return self.told or self.real

    def knobs(self) -> list[str]:
        """The sandbox's options."""
        low, high = self.render_s
        options = ["--render-s", f"{low}:{high}", "--queue-s", "0", "--rate-window-s", f"{self.window_s}"]
        for quota in self.real:
            limits = {"per_minute": quota.per_minute, "concurrent": quota.concurrent}
            told = "".join(f",{name}={limit}" for name, limit in limits.items() if limit is not None)
            options += ["--deployment", f"name={quota.name},api=videos{told}"]
        return [*options, *["--count-refused"] * self.count_refused, "--seed", str(self.seed)]


RATE = Quota("east", per_minute=120)
SLOTS = Quota("east", concurrent=4)
BOTH = Quota("east", per_minute=90, concurrent=6)

SCENARIOS = (
    Scenario("rate", "120 a minute, held in every window of 10 s", (RATE,), 81, 1.03, seed=0),
    Scenario("counted", "the same, and refused creates count as well", (RATE,), 61, 1.03, seed=0, count_refused=True),
    Scenario("slots", "4 at once", (SLOTS,), 25, 1.05),
    Scenario("both", "90 a minute and 6 at once", (BOTH,), 46, 1.05, render_s=(3.0, 4.5)),
    Scenario(
        "two",
        "two unequal deployments: 90 a minute; 3 at once",
        (Quota("east", per_minute=90), Quota("west", concurrent=3)),
        46,
        1.05,
        render_s=(4.5, 4.5),
    ),
    Scenario(
        "wrong-rate",
        "120 a minute, configured as 240",
        (RATE,),
        61,
        None,
        told=(Quota("east", per_minute=240),),
        refusals="learned",
    ),
    Scenario(
        "wrong-slots",
        "4 at once, configured as 8",
        (SLOTS,),
        25,
        None,
        told=(Quota("east", concurrent=8),),
        refusals="learned",
    ),
    Scenario(
        "auto",
        "6 at once, which nobody was told",
        (Quota("east", concurrent=6),),
        37,
        None,
        told=(Quota("east", concurrent="auto"),),
        refusals="learned",
    ),
    Scenario("workers", "8 workers: 90 a minute and 6 at once", (BOTH,), 46, 1.05, render_s=(3.0, 4.5), processes=8),
    Scenario(
        "neighbour",
        "120 a minute, of which somebody else takes 40",
        (RATE,),
        161,
        None,
        refusals="learned",
        neighbour_per_minute=40,
    ),
    # One each 1.5 s: in 10 s up to 7, which is 42 a minute.
    Scenario(
        "reserved",
        "the same, and reserve: {per_minute: 42} says so",
        (RATE,),
        121,
        1.05,
        told=(Quota("east", per_minute=120, reserve_per_minute=42),),
        neighbour_per_minute=40,
    ),
)
