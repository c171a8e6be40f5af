"""`python -m sandbox`."""

from __future__ import annotations

from sandbox.cli import run

if __name__ == "__main__":
    run()
