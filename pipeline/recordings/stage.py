"""Stage ``extract``: from recorded sweeps to a table of targets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.config.load import Resolved
from pipeline.recordings.sweeps import read_sweeps
from pipeline.recordings.targets import target_table
from pipeline.runtime import write_text
from pipeline.sonata.layout import CircuitPaths


def run_extract(
    resolved: Resolved, name: str, paths: CircuitPaths, save: bool = False
) -> tuple[Path, int]:
    """Writes the targets of one entry of ``extract``.

    Args:
        resolved: The model.
        name: Key under ``extract``.
        paths: The circuit.
        save: Whether the model's own table is written, too.

    Returns:
        The table and its number of rows.

    Raises:
        PipelineError: With everything that is wrong with config, table or recordings.
    """
    config = resolved.model.extract[name]
    folder, table = resolved.path(config.folder), resolved.path(config.sweeps)
    targets = target_table(
        read_sweeps(table, folder, config), config, resolved.origin(("extract", name))
    )
    text = table_text(targets)
    written = paths.targets(name)
    write_text(written, text)
    if save and config.table:
        written = resolved.path(config.table)
        write_text(written, text)
    return written, len(targets)


def table_text(targets: pd.DataFrame) -> str:
    """Returns the CSV text of a table of targets; 6 digits, as recorded noise carries no more."""
    return targets.to_csv(index=False, float_format="%.6g", lineterminator="\n")
