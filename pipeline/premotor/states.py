"""Forward and reversal states of the core, and how long they last."""

from __future__ import annotations

import numpy as np

from pipeline.premotor.model import UNSTABLE


def reversal_state(traces: np.ndarray, forward: list[int], reversal: list[int]) -> np.ndarray:
    """Says when the worm would go backwards: reversal cells are above forward cells and active.

    Args:
        traces: float64 [frames, core].
        forward, reversal: Columns of both groups.

    Returns:
        bool [frames]. Active means above 0.1, the cubic's unstable point (our definition).
    """
    back, ahead = traces[:, reversal].mean(1), traces[:, forward].mean(1)
    return (back > UNSTABLE) & (back > ahead)


def dwell_times(state: np.ndarray, times: np.ndarray, shortest: float) -> dict[bool, np.ndarray]:
    """Returns the lengths of whole visits to each state.

    Args:
        state: bool [frames].
        times: float64 [frames], s.
        shortest: s. Shorter visits are dropped, as published (0.05 min).

    Returns:
        Reversal or not to float64 [visits], s. The first and last visit are cut off and left out.
    """
    changes = np.flatnonzero(np.diff(state.astype(int))) + 1
    lengths, kinds = np.diff(times[changes]), state[changes[:-1]] if len(changes) else state[:0]
    return {kind: lengths[(kinds == kind) & (lengths >= shortest)] for kind in (False, True)}
