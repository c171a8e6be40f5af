"""What admission makes of a quota, beside what people use today: `python -m bench.admission`.

Each scenario is a night of a minute against the sandbox, for us and for four peers in turn. Makespan is counted from
the first accepted create to the last archived video, and the bound from the quota and the renders that were drawn
(`bounds.py`); a lag is from a render's end to the video whole in the folder, as a share of the mean render; late 429s
are those after a third of the videos was accepted, a video.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.admission.environment import peers_python
from bench.admission.race import ENTRANTS, race
from bench.admission.report import show
from bench.admission.scenarios import SCENARIOS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", action="append", choices=names, help="only this one; may be given several times")
    who = [entrant.name for entrant in ENTRANTS]
    parser.add_argument("--only", action="append", choices=who, help="only this entrant; may be given several times")
    parser.add_argument("--items", type=int, help="videos a night (default: about half a minute's worth)")
    parser.add_argument("--keep", type=Path, help="an empty folder for everything that was seen, logs included")
    wanted = parser.parse_args()
    if not wanted.only or wanted.only != ["ours"]:
        peers_python()
    met = checked = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as passing:
        folder = wanted.keep or Path(passing)
        for scenario in SCENARIOS:
            if wanted.scenario and scenario.name not in wanted.scenario:
                continue
            count = wanted.items or scenario.items
            low, high = scenario.render_s
            print(f"{scenario.name}: {scenario.title}; {count} videos of {low:g} to {high:g} s", flush=True)
            results = {
                entrant: race(scenario, entrant, count, folder / scenario.name / entrant.name)
                for entrant in ENTRANTS
                if not wanted.only or entrant.name in wanted.only
            }
            passed, of = show(scenario, results)
            met, checked = met + passed, checked + of
            print(flush=True)
    print(f"{met} of {checked} goals met, in {(time.monotonic() - began) / 60:.0f} min")


if __name__ == "__main__":
    main()
