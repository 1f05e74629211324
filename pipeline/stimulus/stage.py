"""Stage ``stimulus``: rates and spikes of thalamic units, written as SONATA."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from pipeline.config.load import Resolved
from pipeline.config.stimuli import BIN, FilterNetStimulus, Grating
from pipeline.runtime import atomic_path, write_text
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import write_spikes
from pipeline.sonata.write import set_units, sonata_file
from pipeline.stimulus.blocks import Block, compute_blocks, make_blocks
from pipeline.stimulus.check import stimulus_conditions
from pipeline.stimulus.movies import Condition
from pipeline.stimulus.spikes import poisson_spikes
from pipeline.stimulus.streams import stream_key
from pipeline.stimulus.units import read_units

_RATE = 6.0
"""Hz. About the mean rate of a unit that sees a grating."""
_START, _BUILD, _WATCH, _SPIKE = 4.0, 0.008, 1.0e-3, 2e-6
"""s. Start; one core's time per unit, per unit and second of movie, and per spike (measured)."""
_MEMORY = 900 * 2.0**20
"""Two workers and the command, whatever the number of units (measured)."""


def expected_cost(stimulus: FilterNetStimulus, units: int) -> dict[str, float]:
    """Expects the cost of a stimulus on two workers with an empty cache.

    Returns:
        ``disk`` and ``memory`` in bytes, ``seconds``.
    """
    movie = stimulus.movie
    shown = len(movie.directions) if isinstance(movie, Grating) else 1
    watched = units * shown * movie.duration / 1000
    spikes = watched * stimulus.trials * _RATE
    full = watched * 1000 / BIN * 4 if stimulus.rates == "full" else 0
    seconds = _START + (units * _BUILD + watched * _WATCH) / 2 + spikes * _SPIKE
    disk = 16 * spikes + full + units * (8 + 12 * shown)
    return {"disk": disk, "memory": _MEMORY + 32 * spikes, "seconds": seconds}


def run_stimulus(
    resolved: Resolved, name: str, paths: CircuitPaths, cache: Path, workers: int = 1
) -> dict[str, float]:
    """Writes spikes, trials and rates of one stimulus.

    Args:
        resolved: The model.
        name: Key under ``stimuli``.
        paths: The circuit; nodes exist, and edges where only connected units are asked for.
        cache: Folder of computed rates.
        workers: Processes for the rates; results do not depend on it.

    Returns:
        ``units``, ``conditions``, ``spikes``, ``computed`` (pairs of unit and condition that the
        cache did not have), ``mean_rate`` (Hz) of all units and conditions.

    Raises:
        ConfigError: If filters, movie and units do not fit together.
        CircuitError: If nodes or edges are missing.
    """
    stimulus: FilterNetStimulus = resolved.model.stimuli[name]
    shown = stimulus_conditions(resolved, name)
    node_ids, units = read_units(resolved, name, paths)
    blocks = make_blocks(units, shown, cache)
    computed = compute_blocks(blocks, shown, workers, cache)
    mean = _write_rates(paths.stimulus_rates(name), stimulus, node_ids, blocks, shown)
    keys = [stream_key(resolved.model.seed, "spikes", name, c.name) for c in shown]
    ids, times = _draw(blocks, node_ids, shown, keys, stimulus.trials)
    write_text(paths.stimulus_trials(name), trials_table(shown, stimulus.trials))
    write_spikes(paths.stimulus_spikes(name), stimulus.nodes, ids, times)
    return {
        "units": len(units), "conditions": len(shown), "spikes": len(ids), "computed": computed,
        "mean_rate": mean,
    }  # fmt: skip


def trials_table(shown: Sequence[Condition], trials: int) -> str:
    """Returns the table of trials as CSV: what is shown when (ms), trial after trial."""
    start, rows = 0.0, []
    for trial in range(trials):
        for condition in shown:
            stop = start + condition.bins * BIN
            rows.append(
                {"trial": trial, "condition": condition.name, "start": start, "stop": stop,
                 "picture_start": start + condition.movie.grey, **condition.parameters()}
            )  # fmt: skip
            start = stop
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _draw(blocks, node_ids, shown, keys, trials: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws the spikes of all units, conditions and trials: ids and times in ms."""
    ids, times = [np.zeros(0, np.int64)], [np.zeros(0)]
    length = sum(c.bins for c in shown) * BIN
    for block in blocks:
        offset = 0.0
        for condition, key, file in zip(shown, keys, block.files, strict=True):
            for row, rate in enumerate(np.load(file)):
                unit = int(node_ids[block.start + row])
                for trial in range(trials):
                    found = poisson_spikes(rate, BIN, key, unit, trial)
                    ids.append(np.full(len(found), unit, np.int64))
                    times.append(found + (trial * length + offset))
            offset += condition.bins * BIN
    return np.concatenate(ids), np.concatenate(times)


def _write_rates(
    path: Path,
    stimulus: FilterNetStimulus,
    node_ids: np.ndarray,
    blocks: Sequence[Block],
    shown: Sequence[Condition],
) -> float:
    """Writes mean rates, and those of every bin where asked for; returns the mean of all."""
    shape = (len(node_ids), len(shown))
    means = {key: np.full(shape, np.nan, np.float32) for key in ("mean", "grey", "picture")}
    with atomic_path(path) as temporary, sonata_file(temporary) as handle:
        group = handle.create_group(f"rates/{stimulus.nodes}")
        group.create_dataset("node_ids", data=node_ids.astype(np.uint64), track_times=False)
        names = np.array([c.name for c in shown], dtype=h5py.string_dtype())
        group.create_dataset("conditions", data=names, track_times=False)
        if stimulus.rates == "full":
            bins = shown[0].bins
            # Contiguous: chunks would lie in the file in the order of the blocks.
            size = (len(shown), len(node_ids), bins)
            full = group.create_dataset("rate", size, "float32", track_times=False)
            set_units(full, "Hz")
            full.attrs["bin"] = BIN
        for block in blocks:
            rows = slice(block.start, block.start + len(block.units))
            for column, (condition, file) in enumerate(zip(shown, block.files, strict=True)):
                rates = np.load(file)
                parts = np.split(rates, [condition.grey_bins], axis=1)
                for key, part in zip(means, (rates, *parts), strict=True):
                    if part.shape[1]:
                        means[key][rows, column] = part.mean(axis=1, dtype=np.float64)
                if stimulus.rates == "full":
                    full[column, rows] = rates
        for key, values in means.items():
            name = "mean_rate" if key == "mean" else f"mean_rate_{key}"
            set_units(group.create_dataset(name, data=values, track_times=False), "Hz")
    return float(means["mean"].mean(dtype=np.float64))
