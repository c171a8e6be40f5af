"""`python -m dailies` and the installed command `dailies`."""

from __future__ import annotations

from dailies.cli import entry as main

if __name__ == "__main__":
    main()
