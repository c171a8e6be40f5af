"""The Python that the peers run with: an environment under .tools, made once, since their needs clash with ours.

arq is among our own: it asks for an older redis-py than Celery does.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".tools/bench-peers"
PINS = ("openai==3.52.0", "celery==5.7.0", "redis==8.1.0", "packaging==26.3", "httpx==0.28.1")


def peers_python() -> str:
    """The path of that Python; installed first where it is not, or has other versions than these."""
    ready, python = HOME / "ready", str(HOME / "bin/python")
    if ready.exists() and ready.read_text() == "\n".join(PINS):
        return python
    print(f"installing {', '.join(PINS)} into {HOME.relative_to(ROOT)}", file=sys.stderr)
    shutil.rmtree(HOME, ignore_errors=True)
    uv = shutil.which("uv")
    if uv:
        steps = [[uv, "venv", "-q", "--python", sys.executable, str(HOME)]]
        steps.append([uv, "pip", "install", "-q", "--python", python, *PINS])
    else:
        steps = [[sys.executable, "-m", "venv", str(HOME)], [python, "-m", "pip", "install", "-q", *PINS]]
    for step in steps:
        subprocess.run(step, check=True)
    ready.write_text("\n".join(PINS))
    return python
