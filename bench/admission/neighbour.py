"""Somebody else who uses the same deployment: `python -m bench.admission.neighbour URL MODEL EVERY_S TALLY`.

A create every so often, whatever the answer; how many were accepted and refused is kept in a file.
"""

from __future__ import annotations

import sys
import time
from itertools import count
from pathlib import Path

import httpx

PROMPT = "The neighbour's take"


def main(url: str, model: str, every_s: float, tally: Path) -> None:
    draft = tally.with_suffix(".new")
    print("ready", flush=True)
    sys.stdin.readline()
    began, accepted, refused = time.monotonic(), 0, 0
    with httpx.Client(base_url=url, headers={"api-key": "any"}, timeout=30) as web:
        for n in count():
            time.sleep(max(0.0, began + n * every_s - time.monotonic()))
            order = {"model": model, "prompt": f"{PROMPT} {n}", "size": "1280x720", "seconds": "4"}
            if web.post("videos", json=order).status_code == 429:
                refused += 1
            else:
                accepted += 1
            draft.write_text(f"{accepted} {refused}")
            draft.replace(tally)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]))
