"""Stage ``edges`` for ``kind: touches``: calibrates, detects, prunes, writes."""

from __future__ import annotations

import logging
from time import perf_counter

from pipeline.config.load import Resolved
from pipeline.edges.rules.parts import remove_parts
from pipeline.edges.touch.calibrate import calibrate, find_pathways, summary_lines
from pipeline.edges.touch.pathways import Pathways
from pipeline.edges.touch.physiology import Synapses, compile_synapses
from pipeline.edges.touch.scene import Scene, load_scene
from pipeline.edges.touch.tallies import (
    Tally,
    TargetTally,
    degree_frame,
    mtype_frame,
    pathway_frame,
)
from pipeline.edges.touch.write import read_tallies, write_blocks, write_touch_edges
from pipeline.runtime import progress, write_text
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths

_log = logging.getLogger(__name__)


def load_synapses(resolved: Resolved, scene: Scene) -> Synapses:
    """Compiles the synapse rules of a scene.

    Raises:
        ConfigError: If the tables are wrong.
    """
    config = scene.config.physiology
    classes, rules = resolved.path(config.classes), resolved.path(config.rules)
    return compile_synapses(classes, rules, config, scene.cells, scene.types)


def run_touches(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, int]:
    """Writes edges, edge types and analysis tables; goes on with blocks finished before.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        paths: The circuit; nodes and morphologies exist.

    Returns:
        Edge population name to number of edges.

    Raises:
        ConfigError: If a table cannot be meant.
        CircuitError: If nodes or morphologies are missing.
    """
    start = perf_counter()
    scene = load_scene(resolved, name, paths)
    synapses = load_synapses(resolved, scene)
    pathways = find_pathways(resolved, scene)
    found = perf_counter()
    path = paths.edges(scene.population)
    with progress(total=len(scene.cells), label=f"{name}: touches", unit="cell") as bar:
        files = write_blocks(scene, pathways, path, bar.update)
    scene.drop_index()
    detected = perf_counter()
    tally = read_tallies(files)
    with progress(total=int(tally["synapses"].sum()), label=f"{name}: edges", unit="edge") as bar:
        target = write_touch_edges(scene, synapses, files, path, bar.update)
    rows = synapses.edge_types().to_dict("records")
    write_types(paths.edge_types(scene.population), rows)
    write_analysis(scene, pathways, tally, target, paths)
    remove_parts(path)
    edges = int(tally["synapses"].sum())
    _log.info(
        "%d touches, %d edges; calibrated in %.1f s, detected in %.1f s, written in %.1f s",
        tally["touches"].sum(), edges, found - start, detected - found, perf_counter() - detected,
    )  # fmt: skip
    return {scene.population: edges}


def write_analysis(
    scene: Scene, pathways: Pathways, tally: Tally, target: TargetTally, paths: CircuitPaths
) -> None:
    """Writes the tables ``touches_<name>_*`` that judge the edges without reading them again."""
    frames = {
        "calibration": pathways.frame(scene.cells.mtypes),
        "pathways": pathway_frame(tally, scene.cells),
        "mtypes": mtype_frame(
            tally,
            target,
            scene.cells,
            scene.axon,
            scene.axon_inside,
            scene.config.pruning.synapses_per_bouton,
        ),  # fmt: skip
        "depth": target.depth_frame(),
        "degrees": degree_frame(tally, target, scene.cells),
    }
    for kind, frame in frames.items():
        # Parameters must come back as the same numbers.
        digits = None if kind == "calibration" else "%.7g"
        text = frame.to_csv(index=False, float_format=digits, lineterminator="\n")
        write_text(paths.analysis(f"touches_{scene.name}_{kind}"), text)


def run_calibration(resolved: Resolved, name: str, paths: CircuitPaths) -> tuple[str, list[str]]:
    """Calibrates one edge config anew.

    Returns:
        The table of pathways as CSV text, and what to tell the user.
    """
    scene = load_scene(resolved, name, paths)
    found, measured = calibrate(resolved, scene)
    text = found.frame(scene.cells.mtypes).to_csv(index=False, lineterminator="\n")
    return text, summary_lines(scene, measured, found)
