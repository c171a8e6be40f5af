"""What loading a manifest costs over reading the same file and doing nothing: `python -m bench.manifests`.

Each time is a ratio taken within one run, ours and the bare reader's in turn: the median of three rounds. Memory is the
peak of a process of its own, with many rows less that with few.
"""

from __future__ import annotations

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from manifests import load

ROUNDS = 3
FEW = 10_000
_PEAK = "from bench.manifests import peak; peak({!r})"
_KIB = 1024 if sys.platform == "darwin" else 1  # as many of the units in which the system tells a peak are a KiB


def write_csv(path: Path, rows: int, *, keys: bool) -> Path:
    """A sheet of six columns, or five without the keys."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{'key,' if keys else ''}prompt,size,seconds,market,product\n")
        for n in range(rows):
            key = f"item-{n}," if keys else ""
            prompt = f'"A paper boat {n} crossing a rain-soaked neon street at night, slow dolly-in"'
            file.write(f"{key}{prompt},{'1280x720' if n % 2 else '720x1280'},8,SE,boat {n % 100}\n")
    return path


def write_yaml(path: Path, items: int) -> Path:
    """A manifest of items with five fields each, the last one a mapping."""
    with path.open("w", encoding="utf-8") as file:
        file.write("version: 1\ndefaults: {model: sora-2}\nitems:\n")
        for n in range(items):
            file.write(f"  - key: item-{n}\n    prompt: A paper boat {n} crossing a rain-soaked neon street at night\n")
            file.write(f"    size: {'1280x720' if n % 2 else '720x1280'}\n    seconds: 8\n")
            file.write(f"    labels: {{market: SE, product: boat {n % 100}}}\n")
    return path


def bare_csv(path: Path) -> None:
    """The standard library's reader over a file, doing nothing."""
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.DictReader(file):
            pass


def bare_yaml(path: Path) -> None:
    """libyaml's own loader over a file, which keeps no places."""
    with path.open("rb") as file:
        yaml.load(file, yaml.CSafeLoader)


def ratio(path: Path, bare: Callable[[Path], None]) -> float:
    """Time to load a manifest ÷ time to read it without looking."""
    ratios = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        load(path)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        bare(path)
        ratios.append(ours / (time.perf_counter() - began))
    return statistics.median(ratios)


def peak(path: str) -> None:
    """Load a manifest, and print the most memory that this process ever had, in KiB."""
    load(Path(path))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB)


def growth(few: Path, many: Path) -> float:
    """MiB by which the peak of loading many rows is above that of few, each in a new process.

    To be measured before this process has grown: a child begins with its parent's peak.
    """
    peaks = [
        int(subprocess.check_output([sys.executable, "-c", _PEAK.format(str(path))], text=True)) for path in (few, many)
    ]
    return (peaks[1] - peaks[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of a sheet (default: %(default)s)")
    parser.add_argument("--items", type=int, default=10_000, help="items of a YAML manifest (default: %(default)s)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = (write_csv(Path(folder, f"{rows}.csv"), rows, keys=True) for rows in (FEW, wanted.rows))
        keyless = write_csv(Path(folder, "keyless.csv"), wanted.rows, keys=False)
        print(f"csv: {wanted.rows:,} rows")
        print(f"  peak memory above that of {FEW:,} rows    {growth(few, many):.1f} MiB")
        print(f"  the same without keys                  {growth(few, keyless):.1f} MiB")
        print(f"  time / csv.DictReader                  {ratio(many, bare_csv):.2f}")
        print(f"  time / csv.DictReader, without keys    {ratio(keyless, bare_csv):.2f}")
        items = write_yaml(Path(folder, "items.yaml"), wanted.items)
        print(f"yaml: {wanted.items:,} items")
        print(f"  time / yaml.CSafeLoader                {ratio(items, bare_yaml):.2f}")


if __name__ == "__main__":
    main()
