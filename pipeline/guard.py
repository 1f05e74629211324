"""Ends a worker when the command that started it is gone; a script of its own, so that nothing the
worker computes can hold it up."""

from __future__ import annotations

import os
import signal
import sys
import time


def alive(process: int) -> bool:
    """Whether a process of this machine still runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as handle:
            state = handle.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True  # no /proc here
    return state not in "ZX"  # ended, but nobody has asked for its exit code


def main(parent: int, worker: int) -> None:
    """Waits until one of the two is gone, and kills the worker if it is not the one."""
    while alive(worker):
        if not alive(parent):
            os.kill(worker, signal.SIGKILL)
            return
        time.sleep(0.5)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
