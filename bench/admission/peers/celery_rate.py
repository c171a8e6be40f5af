"""Starts Celery workers, and gives them the work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

os.environ["PLAN"] = sys.argv[1]

from celery_tasks import CREATE, PLAN, app, creators


def worker(queue: str, number: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--queues", queue]
    # Looks are many and only wait; creates get the default pool, since with threads a rate limit falls to half of it.
    command += ["--pool", "threads", "--concurrency", "16"] if queue == "looks" else ["--concurrency", "2"]
    command += ["--hostname", f"{queue}{number}@bench", "--loglevel", "error"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    workers = [worker(queue, n) for queue in ("creates", "looks") for n in range(creators())]
    try:
        while len(app.control.ping(timeout=0.5)) < len(workers):
            time.sleep(0.1)
        print("ready", flush=True)
        sys.stdin.readline()
        for n, video in enumerate(PLAN["videos"]):
            task = CREATE[n % len(CREATE)]
            task.delay(PLAN["deployments"][n % len(CREATE)]["name"], video)
        signal.pause()
    finally:
        for process in workers:
            process.terminate()
        for process in workers:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
