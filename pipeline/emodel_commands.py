"""What the verbs about e-models do: targets from recordings, morphologies judged."""

from __future__ import annotations

import argparse

from pipeline.commands import _chosen, _open_stage


def extract(options: argparse.Namespace) -> None:
    """Take features from recorded sweeps and write them as targets of an e-type."""
    from pipeline.recordings.stage import run_extract

    resolved, paths = _open_stage(options)
    for name in _chosen(options.name, list(resolved.model.extract), "extract"):
        written, rows = run_extract(resolved, name, paths, options.save)
        print(f"{written}  {rows} targets")
