"""Rows that benches hand to ``bench/table.py``: ours, peer, ratio, memory."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = "SONATINA_BENCH_ROWS"


def tell(
    what: str,
    ours: float,
    unit: str,
    peer: float | None = None,
    peer_name: str = "",
    *,
    memory: float | None = None,
    more_is_better: bool = False,
) -> None:
    """Leaves one row for the table of all benches; nothing where a bench runs alone.

    Args:
        what: The work that was measured.
        ours: Our figure.
        unit: Of both figures.
        peer: The peer's figure in the same run.
        peer_name: Who that is.
        memory: Peak memory of ours, MiB.
        more_is_better: For rates; the ratio is always how many times better ours is.
    """
    if FILE not in os.environ:
        return
    ratio = None
    if peer and ours:
        ratio = ours / peer if more_is_better else peer / ours
    row = {"what": what, "ours": ours, "unit": unit, "peer": peer, "peer_name": peer_name,
           "ratio": ratio, "memory": memory, "load": os.getloadavg()[0]}  # fmt: skip
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as handle:
        handle.write(json.dumps(row) + "\n")
