"""Thalamic units: which ones, and the numbers of each, jitter included."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.filters import DUAL, UnitFilter, require_filters
from pipeline.config.load import Resolved
from pipeline.config.stimuli import FilterNetStimulus
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata import layout
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import edge_blocks, open_population, read_typed_nodes
from pipeline.stimulus.check import stimulus_filters
from pipeline.stimulus.streams import stream_key, uniforms, unit_stream

Unit = dict[str, object]
"""Numbers of one unit under the names of BMTK's node attributes; JSON-like."""
_PAIRS = ("weights", "kpeaks", "delays")
_NEEDED = ("pop_name", "x", "y", "spatial_size")


def connected_units(resolved: Resolved, nodes: str, paths: CircuitPaths) -> np.ndarray:
    """Returns the units of a population that feed a cell: int64 [n], ascending.

    Raises:
        CircuitError: If an edges file is missing.
    """
    ends = {(e.source, e.target) for e in resolved.model.edges.values() if e.source == nodes}
    found = [np.zeros(0, np.int64)]
    for source, target in sorted(ends):
        name = edge_population_name(source, target, CHEMICAL)
        found.append(_sources(paths.edges(name), name))
    return np.unique(np.concatenate(found))


def _sources(path: Path, population: str) -> np.ndarray:
    """Returns the nodes with outgoing edges, by the index when there is one."""
    with open_population(path, "edges", population) as root:
        index = root.get("indices/source_to_target")
        if index is not None and layout.INDEX_NAMES[0] in index:
            ranges = index[layout.INDEX_NAMES[0]][:]
            return np.flatnonzero(ranges[:, 0] < ranges[:, 1])
    blocks = (np.unique(b[layout.SOURCE_IDS]) for b in edge_blocks(path, population))
    return np.unique(np.concatenate([np.zeros(0, np.int64), *(b.astype(np.int64) for b in blocks)]))


def read_units(resolved: Resolved, name: str, paths: CircuitPaths) -> tuple[np.ndarray, list[Unit]]:
    """Reads the units of a stimulus from the circuit.

    Returns:
        Node ids int64 [n], ascending, and the numbers of each unit.

    Raises:
        ConfigError: If the filters do not fit the units.
        CircuitError: If nodes or edges are missing.
    """
    stimulus: FilterNetStimulus = resolved.model.stimuli[name]
    filters = stimulus_filters(resolved, name)
    nodes = stimulus.nodes
    frame = read_typed_nodes(paths.nodes(nodes), paths.node_types(nodes), nodes).sort_index()
    if stimulus.units == "connected":
        chosen = connected_units(resolved, nodes, paths)
        if not len(chosen):
            message = f"no unit of {nodes!r} feeds a cell of this circuit"
            where = resolved.origin(("stimuli", name, "units"))
            raise ConfigError(Problem(where, message, "choose units: all, or add edges"))
        frame = frame.loc[frame.index.isin(chosen)]
    _check_units(frame, stimulus, paths.nodes(nodes))
    require_filters(resolved.path(stimulus.filters), filters, frame["pop_name"], nodes)
    key = stream_key(resolved.model.seed, "jitter", nodes)
    units = [
        unit_numbers(row, filters, stimulus.jitter, key, int(node))
        for node, row in zip(frame.index, frame.to_dict("records"), strict=True)
    ]
    return frame.index.to_numpy(np.int64), units


def unit_numbers(
    row: Mapping[str, object],
    filters: Mapping[str, UnitFilter],
    jitter: float,
    key: np.ndarray,
    unit: int,
) -> Unit:
    """Returns the numbers of one unit under the names of BMTK's node attributes.

    Weights, peaks, delays and the separation are each multiplied by a number of the unit's own,
    uniform in 1 - jitter to 1 + jitter, as in the published build.

    Args:
        row: Attributes of the node.
        filters: Filters by unit type.
        jitter: Largest relative change.
        key: uint64 [2]. Key of the jitter.
        unit: Node id.
    """
    found = filters[str(row["pop_name"])]
    factors = 1 + jitter * (2 * uniforms(unit_stream(key, unit), 13) - 1)
    numbers: Unit = {key: float(row[key]) for key in ("x", "y", "spatial_size")}
    numbers["model"] = found.model
    for index, pair in enumerate(_PAIRS):
        numbers[pair] = _times(getattr(found, pair), factors[2 * index :])
    if found.model not in DUAL:
        return numbers | {"spont_fr": found.spontaneous}
    second = filters[found.second]
    for index, pair in enumerate(_PAIRS, start=3):
        numbers[f"{pair}_non_dom"] = _times(getattr(second, pair), factors[2 * index :])
    separation = found.separation * float(factors[12])
    return numbers | {"tuning_angle": float(row["tuning_angle"]), "sf_sep": separation}


def _times(pair: tuple[float, float], factors: np.ndarray) -> list[float]:
    return [float(pair[0] * factors[0]), float(pair[1] * factors[1])]


def _check_units(frame: pd.DataFrame, stimulus: FilterNetStimulus, path: Path) -> None:
    """Raises for attributes that are missing or make no sense."""
    dual = frame["pop_name"].isin(DUAL) if "pop_name" in frame else pd.Series(False, frame.index)
    needed = [*_NEEDED, "tuning_angle"] if dual.any() else list(_NEEDED)
    missing = [column for column in needed if column not in frame]
    if missing:
        message = f"units of {stimulus.nodes!r} have no {', '.join(missing)}"
        raise CircuitError(Problem(str(path), message, "add these properties to the population"))
    field = stimulus.field
    bad = ~(frame["x"].between(0, field.width) & frame["y"].between(0, field.height))
    rules = {"outside the field": bad, "without a spatial_size": ~(frame["spatial_size"] > 0)}
    if dual.any():
        rules["without a tuning_angle"] = dual & ~np.isfinite(frame["tuning_angle"])
    for what, broken in rules.items():
        if broken.any():
            first = frame.index[broken.to_numpy()][:5].tolist()
            message = f"{int(broken.sum())} units {what}, such as node ids {first}"
            raise CircuitError(Problem(str(path), message, "correct nodes or stimulus.field"))
