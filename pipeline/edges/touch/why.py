"""Explains an edge, or a pair of cells, by finding its touches and repeating its draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np

from pipeline.config.load import Resolved
from pipeline.config.touches import TouchEdges
from pipeline.edges.rules.random import uniforms
from pipeline.edges.touch.arrays import APICAL, AXON, BASAL, SOMA, TOUCH
from pipeline.edges.touch.pathways import Pathways, read_pathways
from pipeline.edges.touch.physiology import Synapses, synapse_columns
from pipeline.edges.touch.pruning import (
    KEEP_CONNECTION,
    KEPT,
    REASONS,
    prune,
    survival,
    touch_draw,
)
from pipeline.edges.touch.scene import PLACES, Scene, load_scene
from pipeline.edges.touch.stage import load_synapses
from pipeline.edges.touch.tables import RuleTable, raise_all
from pipeline.errors import CircuitError, ConfigError, Problem
from pipeline.sonata import layout
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import open_population

_KINDS = {SOMA: "soma", AXON: "axon initial segment", BASAL: "basal", APICAL: "apical"}
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Explained:
    """All touches of a pair and what became of them.

    Attributes:
        scene: Where they were found.
        touches: TOUCH [n].
        reasons: uint8 [n].
        pathways: Pruning parameters.
        pre: Source id.
        post: Target id.
    """

    scene: Scene
    touches: np.ndarray
    reasons: np.ndarray
    pathways: Pathways
    pre: int
    post: int


def touch_config(resolved: Resolved, name: str | None) -> str:
    """Returns the key of the edges to explain.

    Raises:
        ConfigError: If there is none, or several and no name.
    """
    known = [key for key, edges in resolved.model.edges.items() if isinstance(edges, TouchEdges)]
    if name is None and len(known) == 1:
        return known[0]
    if name in known:
        return name
    message = f"no edges of kind touches named {name!r}" if name else "which edges is not clear"
    found = f"known: {', '.join(known)}" if known else "the model has none of kind touches"
    raise ConfigError(Problem("--name", message, found))


def explain_pair(
    resolved: Resolved, name: str, paths: CircuitPaths, pre: int, post: int
) -> Explained:
    """Finds the touches of one pair again; they depend on these two cells alone.

    Raises:
        CircuitError: If the circuit is not built or has no such cells.
    """
    from pipeline.edges.touch.detect import detect
    from pipeline.edges.touch.index import build_index

    scene = load_scene(resolved, name, paths)
    for cell in (pre, post):
        if not 0 <= cell < len(scene.cells):
            message = f"no cell {cell}; {scene.config.source} has {len(scene.cells)}"
            raise CircuitError(Problem("--pair", message, "ids start at 0"))
    pathways, table = read_pathways(paths.analysis(f"touches_{name}_calibration"), scene.types)
    raise_all(table)
    cells = scene.cells
    per_cell = ("morphology", "position", "rotation", "mtype", "etype", "inhibitory")
    target = replace(cells, **{key: getattr(cells, key)[[post]] for key in per_cell})
    index = build_index(scene.shapes, target, scene.rules)
    index = index._replace(cell=np.full_like(index.cell, post))
    touches = np.empty(0, TOUCH)
    if pre != post:
        touches = detect(scene.shapes, cells, scene.rules, index, [pre], scene.seed)
    reasons = prune(touches, cells, pathways, scene.key)
    return Explained(scene, touches, reasons, pathways, pre, post)


def read_edge(paths: CircuitPaths, population: str, edge: int) -> dict[str, float]:
    """Reads one edge: attribute name to value, with ``rank`` among the edges of its pair.

    Raises:
        CircuitError: If there is no such file or edge.
    """
    with open_population(paths.edges(population), "edges", population) as root:
        n = len(root[layout.EDGE_TYPE])
        if not 0 <= edge < n:
            message = f"no edge {edge}; {population} has {n}"
            raise CircuitError(Problem(str(paths.edges(population)), message, "ids start at 0"))
        ends = [int(root[name][edge]) for name in (layout.SOURCE_IDS, layout.TARGET_IDS)]
        rank = 0
        while edge > rank and all(
            int(root[name][edge - rank - 1]) == end
            for name, end in zip((layout.SOURCE_IDS, layout.TARGET_IDS), ends, strict=True)
        ):
            rank += 1
        group: h5py.Group = root[layout.GROUP]
        row = {name: float(item[edge]) for name, item in group.items()}
    return row | {"source": ends[0], "target": ends[1], "rank": rank}


def why_edge(resolved: Resolved, name: str, paths: CircuitPaths, edge: int) -> list[str]:
    """Explains one edge as lines of text.

    Raises:
        CircuitError: If the edges file does not come from this model and these cells.
    """
    config = resolved.model.edges[name]
    population = layout.edge_population_name(config.source, config.target, layout.CHEMICAL)
    row = read_edge(paths, population, edge)
    pair = explain_pair(resolved, name, paths, int(row["source"]), int(row["target"]))
    kept = np.flatnonzero(pair.reasons == KEPT)
    rank = int(row["rank"])
    if rank >= len(kept) or not _same(pair.touches[kept[rank]], row):
        message = f"edge {edge} is not what the model gives for its pair"
        hint = "the model or its tables changed; run 'sonatina edges' again"
        raise CircuitError(Problem(str(paths.edges(population)), message, hint))
    synapses = load_synapses(resolved, pair.scene)
    chosen = int(kept[rank])
    lines = [f"edge {edge} of {population}"]
    lines += _pair_lines(pair) + _touch_lines(resolved, pair, chosen)
    lines += _pathway_lines(pair) + _draw_lines(pair)
    return lines + _synapse_lines(pair, synapses, chosen)


def why_pair(resolved: Resolved, name: str, paths: CircuitPaths, pre: int, post: int) -> list[str]:
    """Explains all touches of a pair as lines of text."""
    pair = explain_pair(resolved, name, paths, pre, post)
    lines = _pair_lines(pair)
    if not len(pair.touches):
        return lines + _no_touch(resolved, pair)
    return lines + _pathway_lines(pair) + _draw_lines(pair)


def _same(touch: np.void, row: dict[str, float]) -> bool:
    ids = {"efferent_section_id": "pre_section", "efferent_segment_id": "pre_segment",
           "afferent_section_id": "post_section", "afferent_segment_id": "post_segment"}  # fmt: skip
    return all(int(row[name]) == int(touch[key]) for name, key in ids.items()) and all(
        abs(row[f"{side}_segment_offset"] - float(touch[f"{key}_offset"])) <= _TOLERANCE
        for side, key in (("efferent", "pre"), ("afferent", "post"))
    )


def _cell(scene: Scene, cell: int) -> str:
    cells = scene.cells
    shape = scene.shapes.names[cells.morphology[cell]]
    kinds = f"{cells.mtypes[cells.mtype[cell]]} {cells.etypes[cells.etype[cell]]}"
    x, y, z = cells.position[cell]
    return f"cell {cell}: {kinds}, morphology {shape}, soma at ({x:.1f}, {y:.1f}, {z:.1f}) um"


def _pair_lines(pair: Explained) -> list[str]:
    lines = [f"  source {_cell(pair.scene, pair.pre)}", f"  target {_cell(pair.scene, pair.post)}"]
    kept = int((pair.reasons == KEPT).sum())
    return [*lines, f"  {len(pair.touches)} touches, {kept} kept"]


def _types(pair: Explained) -> tuple[int, int]:
    cells = pair.scene.cells
    return int(cells.mtype[pair.pre]), int(cells.mtype[pair.post])


def _rule_rows(resolved: Resolved, pair: Explained, place: str | None) -> str:
    """Lines of the touch rules that speak of a pair, for one place or all."""
    types = pair.scene.types
    path = resolved.path(pair.scene.config.touch.rules)
    pre, post = _types(pair)
    frame = RuleTable.read(path, ()).frame
    lines = [
        str(row + 2)
        for row, rule in enumerate(frame.to_dict("records"))
        if types.matching(rule["pre"])[pre] and types.matching(rule["post"])[post]
        and place in (None, rule["place"])
    ]  # fmt: skip
    return f"{path.name}, line {', '.join(lines)}" if lines else f"{path.name}: no line"


def _no_touch(resolved: Resolved, pair: Explained) -> list[str]:
    if pair.pre == pair.post:
        return ["  a cell does not touch itself (autapses are left out)"]
    pre, post = _types(pair)
    rules = pair.scene.rules
    allowed = [name for name, bit in PLACES.items() if rules.allowed[pre, post] & bit]
    if not allowed:
        return [f"  the touch rules allow nothing ({_rule_rows(resolved, pair, None)})"]
    near = rules.spine_length[post]
    inhibitory = int(pair.scene.cells.inhibitory[pair.post])
    dropped = rules.soma_filter[0 if inhibitory else 1]
    return [
        f"  allowed: {', '.join(allowed)} ({_rule_rows(resolved, pair, None)})",
        f"  but no allowed part of the target comes within {near:g} um of the axon, "
        f"or only dendrites within {dropped:g} um of path from the soma",
    ]


def _touch_lines(resolved: Resolved, pair: Explained, chosen: int) -> list[str]:
    touch, rules = pair.touches[chosen], pair.scene.rules
    kind = int(touch["post_kind"])
    place = {SOMA: "soma", AXON: "initial_segment"}.get(kind, "dendrite")
    return [
        f"touch {chosen + 1} of {len(pair.touches)}: gap {touch['distance']:.3f} um between surfaces, "
        f"spine length {rules.spine_length[_types(pair)[1]]:g} um",
        f"  axon section {touch['pre_section']}, segment {touch['pre_segment']} at "
        f"{touch['pre_offset']:.2f} um, {touch['path']:.1f} um of path from the soma",
        f"  target {_KINDS[kind]} section {touch['post_section']}, segment {touch['post_segment']} at "
        f"{touch['post_offset']:.2f} um, {touch['post_path']:.1f} um of path from the soma",
        f"  allowed by {_rule_rows(resolved, pair, place)}",
    ]


def _pathway_lines(pair: Explained) -> list[str]:
    at, found, names = _types(pair), pair.pathways, pair.scene.cells.mtypes
    rule = f"{pair.scene.config.pruning.rules}, line {found.rule[at]}"
    lines = [
        f"pathway {names[at[0]]} > {names[at[1]]} ({rule}): N {found.N[at]:.2f} touches per pair "
        f"({found.pairs[at]} pairs in the sample), B {found.B[at]:.4f}",
        f"  f1 {found.f1[at]:.4f}, mu {found.mu[at]:.3f}, A {found.A[at]:.4f}; expected "
        f"{found.n[at]:.2f} synapses per connection, cv {found.cv[at]:.2f}",
    ]
    return lines + ([f"  not met: {found.status[at]}"] if found.status[at] else [])


def _draw_lines(pair: Explained) -> list[str]:
    """The draws behind every touch of the pair."""
    at, found, key = _types(pair), pair.pathways, pair.scene.key
    left, lines = 0, ["draws (a touch or connection stays if its number is below the bound)"]
    for index, (touch, reason) in enumerate(zip(pair.touches, pair.reasons, strict=True)):
        u = touch_draw(key, pair.pre, pair.post, int(touch["order"]))
        left += u < found.f1[at]
        lines.append(
            f"  touch {index + 1}: step 1 {u:.4f} for {found.f1[at]:.4f}; gap "
            f"{touch['distance']:.2f} um, axon section {touch['pre_section']}, "
            f"{_KINDS[int(touch['post_kind'])]} section {touch['post_section']}: {REASONS[reason]}"
        )
    second, third = uniforms(key, pair.pre, pair.post, KEEP_CONNECTION, 0)
    bound = survival(left, found.mu[at])
    lines.append(f"  connection: {left} touches after step 1; step 2 {second:.4f} for {bound:.4f}, "
                 f"step 3 {third:.4f} for {found.A[at]:.4f}")  # fmt: skip
    return lines


def _synapse_lines(pair: Explained, synapses: Synapses, chosen: int) -> list[str]:
    touch = pair.touches[chosen : chosen + 1]
    kinds, columns = synapse_columns(synapses, touch, pair.scene.key)
    at = (synapses.me[pair.pre], synapses.me[pair.post])
    rules = Path(pair.scene.config.physiology.rules).name
    units = {"conductance": "nS", "u_hill_coefficient": "mM", "spine_length": "um"}
    lines = [f"synapse class {synapses.names[kinds[0]]} ({rules}, line {synapses.rule[at]})"]
    for name, values in columns.items():
        unit = units.get(name) or layout.UNITS.get(name, "")
        lines.append(f"  {name} {float(values[0]):.6g} {unit}".rstrip())
    return lines


def circuit_model(folder: Path) -> tuple[str, str]:
    """Model and variant of a circuit folder ``.../<model>/<variant>``.

    Raises:
        CircuitError: If the folder is none.
    """
    root = folder.parent if folder.suffix == ".json" else folder
    if not root.is_dir():
        raise CircuitError(Problem(str(folder), "no such circuit", "give circuits/MODEL/VARIANT"))
    root = root.resolve()
    return root.parent.name, root.name
