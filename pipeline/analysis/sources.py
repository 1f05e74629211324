"""What virtual nodes sent into a run: mean rates by class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.populations import class_attribute
from pipeline.analysis.spike_counts import spike_blocks
from pipeline.config.load import Resolved
from pipeline.config.rule_labels import labels_of
from pipeline.config.simulation import SpikeInput
from pipeline.errors import CircuitError, Problem
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.node_sets import read_set
from pipeline.sonata.read import read_typed_nodes


def input_rates(resolved: Resolved, paths: CircuitPaths, run: str, key: str) -> pd.DataFrame | None:
    """Mean rates of an input of spikes; None before the run or without its file.

    Args:
        resolved: The model.
        paths: The circuit.
        run: Name of the simulation.
        key: Its input, of kind spikes or poisson. Spikes after the end of the run are not counted.

    Returns:
        class, nodes, active (nodes with a spike), spikes, rate_hz (over all nodes); classes in
        alphabetical order, a last row ``all``.

    Raises:
        CircuitError: If nodes or spikes are missing or damaged, or do not belong together.
    """
    simulation = resolved.model.simulation[run]
    stimulus, duration = simulation.inputs[key], simulation.duration
    population, chosen = stimulus.nodes, slice(None)
    if population not in resolved.model.nodes:
        population, _, chosen = read_set(paths, stimulus.nodes)
    path, sender = paths.simulation(run) / f"input_{key}.h5", population
    if isinstance(stimulus, SpikeInput):
        path = (
            resolved.path(stimulus.file)
            if stimulus.file
            else paths.stimulus_spikes(str(stimulus.stimulus))
        )
        sender = stimulus.population or sender
    if not path.is_file() or not paths.spikes(run).is_file():
        return None
    nodes = read_typed_nodes(paths.nodes(population), paths.node_types(population), population)
    counts = np.zeros(int(nodes.index.max()) + 1, np.int64)
    for ids, times in spike_blocks(path, sender):
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(counts):
            message = f"spikes of nodes that {population!r} does not have"
            raise CircuitError(Problem(str(path), message, "make nodes and spikes anew"))
        counts += np.bincount(ids[times < duration], minlength=len(counts))
    nodes = nodes[chosen]
    codes, names = labels_of(nodes, class_attribute(resolved, population))
    spikes = counts[nodes.index.to_numpy()]
    rows = [_row(name, spikes[codes == code], duration) for code, name in enumerate(names)]
    return pd.DataFrame([*rows, _row("all", spikes, duration)])


def _row(name: str, spikes: np.ndarray, duration: float) -> dict:
    return {
        "class": name,
        "nodes": len(spikes),
        "active": int((spikes > 0).sum()),
        "spikes": int(spikes.sum()),
        "rate_hz": float(spikes.sum() / len(spikes) / duration * 1000.0),
    }
