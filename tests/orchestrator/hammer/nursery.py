"""Where the processes come from: `python -m … REDIS_URL NAMESPACE PORT`, then `NAME SEED` on stdin for each.

All that they need is imported once, and each is a fork of this, so that one is born in milliseconds. It prints their
process ids, and ends them when its stdin ends. Those that were killed stay zombies until then, so that no other process
gets their ids.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback

import structlog

from tests.orchestrator.hammer import worker


def main() -> None:
    url, namespace, port = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    born = []
    for line in sys.stdin:
        name, seed = line.split()
        pid = os.fork()
        if not pid:
            try:
                worker.run(url, namespace, int(port), name, seed)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(1)
        born.append(pid)
        print(pid, flush=True)
    for pid in born:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
