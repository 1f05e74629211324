"""Measures touches in a keyed sample of presynaptic cells and solves the pathway parameters."""

from __future__ import annotations

import logging

import numpy as np

from pipeline.config.load import Resolved
from pipeline.edges.touch.pathways import (
    Measured,
    Pathways,
    read_pathways,
    read_rules,
    solve_pathways,
)
from pipeline.edges.touch.pruning import connection_starts
from pipeline.edges.touch.scene import Scene
from pipeline.edges.touch.tables import raise_all
from pipeline.philox import uniforms_array
from pipeline.runtime import progress

_SAMPLE = 11
"""Purpose of the draw that chooses the sample."""
MOST_TOUCHES = 400
"""Pairs with more touches count as having so many."""
_log = logging.getLogger(__name__)


def sample_cells(scene: Scene) -> np.ndarray:
    """Ids of the sample: up to ``pruning.sample`` cells of each m-type with an axon, ascending.

    Each cell has a keyed number; the lowest of its type are taken, so that a larger sample holds a
    smaller one.
    """
    n = len(scene.cells)
    order = uniforms_array(scene.key, np.arange(n), np.zeros(n), _SAMPLE)[0]
    found = []
    for mtype in range(len(scene.cells.mtypes)):
        ids = np.flatnonzero((scene.cells.mtype == mtype) & (scene.axon > 0))
        found.append(ids[np.argsort(order[ids], kind="stable")][: scene.config.pruning.sample])
    return np.sort(np.concatenate(found)) if found else np.empty(0, np.int64)


def measure(scene: Scene) -> Measured:
    """Detects all touches of the sample and counts them by pathway."""
    m = len(scene.cells.mtypes)
    ids = sample_cells(scene)
    counts = np.zeros((m, m, MOST_TOUCHES + 1), np.int64)
    mtype = scene.cells.mtype
    with progress(total=len(ids), label="calibrate", unit="cell") as bar:
        for some, touches in scene.chunks(ids):
            starts = connection_starts(touches["pre"], touches["post"])
            first, sizes = starts[:-1], np.minimum(np.diff(starts), MOST_TOUCHES)
            pre, post = (mtype[touches[side][first].astype(np.int64)] for side in ("pre", "post"))
            np.add.at(counts, (pre, post, sizes), 1)
            bar.update(len(some))
    sampled = np.bincount(mtype[ids], minlength=m)
    return Measured(counts, sampled, np.bincount(mtype[ids], scene.axon_inside[ids], m))


def calibrate(resolved: Resolved, scene: Scene) -> tuple[Pathways, Measured]:
    """Solves the parameters of all pathways from a fresh sample.

    Raises:
        ConfigError: If the pathway rules are wrong.
    """
    pruning = scene.config.pruning
    rules, table = read_rules(resolved.path(pruning.rules), scene.types)
    raise_all(table)
    measured = measure(scene)
    found = solve_pathways(measured, rules, pruning, scene.types.inhibitory)
    _log.info(
        "sample of %d cells: %d touches of %d pairs", measured.sampled.sum(),
        measured.touches.sum(), measured.pairs.sum(),
    )  # fmt: skip
    return found, measured


def find_pathways(resolved: Resolved, scene: Scene) -> Pathways:
    """Parameters of all pathways: from the model's table, or solved from a sample.

    Raises:
        ConfigError: If a table is wrong.
    """
    if scene.config.pruning.pathways is None:
        return calibrate(resolved, scene)[0]
    found, table = read_pathways(resolved.path(scene.config.pruning.pathways), scene.types)
    raise_all(table)
    return found


def summary_lines(scene: Scene, measured: Measured, found: Pathways) -> list[str]:
    """What calibration says: touch density and B by m-type, and the pathways that miss a target."""
    lines = ["m-type         cells  touches/um      B  boutons/um  kept"]
    density, touches = measured.density(), measured.touches
    per_bouton = scene.config.pruning.synapses_per_bouton
    for index, name in enumerate(scene.cells.mtypes):
        total = touches[index].sum()
        if not total:
            lines.append(f"{name:<12} {measured.sampled[index]:7d}  no touches in the sample")
            continue
        kept = float((touches[index] * found.kept[index]).sum() / total)
        b = float((touches[index] * found.B[index]).sum() / total)
        lines.append(
            f"{name:<12} {measured.sampled[index]:7d}  {density[index]:10.3f}  {b:5.3f}"
            f"  {density[index] * kept / per_bouton:10.3f}  {kept:.3f}"
        )
    unmet = np.argwhere((found.status != "") & (found.pairs > 0))
    unmet = unmet[np.argsort(-touches[unmet[:, 0], unmet[:, 1]], kind="stable")]
    met = int((found.pairs > 0).sum()) - len(unmet)
    lines.append(f"{met} touched pathways meet their targets, {len(unmet)} do not:")
    for i, j in unmet:
        pair = f"{scene.cells.mtypes[i]} > {scene.cells.mtypes[j]}"
        lines.append(f"  {pair:<24} N {found.N[i, j]:6.2f}  {found.status[i, j]}")
    return lines
