"""Grows cells with NeuroTS from the distributions of real trees.

Every tree is grown from the barcode of one real tree (Kanari et al. 2022, Cell Rep 39:110586).
Barcodes know path lengths and angles, but not the layers: of several axons, each turned about the
soma, the one is kept whose depths and width are nearest to the real axon's.
"""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND, Section
from pipeline.errors import ConfigError, Problem, ToolError
from pipeline.morphologies.extract import DEPTHS
from pipeline.morphologies.measure import pieces, weighted_quantile
from pipeline.morphologies.shape import Shape, stretch_sections
from pipeline.runtime import rng_for

KINDS = {"axon": AXON, "basal_dendrite": DEND, "apical_dendrite": APIC}
WANDER = ((0.24, 0.14), (0.15, 0.3))
"""Randomness and targeting of a growing tip: the defaults of NeuroTS, and a straighter choice (source:
assumed; attempts take turns)."""
_TURNS, _FEW = 150, 500
"""Directions tried per axon, and segments looked at."""
_STRETCH = 1.5
"""Largest factor of height or width (source: assumed)."""
_STEPS_PER_SECTION, _SHORTEST, _LONGEST = 40.0, 0.5, 2.5
"""Steps per mean section, and their bounds in um: longer steps lose the short branches of dense axons
(measured: a chandelier axon keeps 28 % of its length at 4 um)."""


def read_distributions(path: Path) -> list[dict]:
    """Returns the cells of one m-type's file.

    Raises:
        ConfigError: If the file is missing or is not one of ours.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if not all({"soma_radius", "trees", "name"} <= cell.keys() for cell in cells):
            raise KeyError
        problems = [_fault(cell) for cell in cells]
    except OSError as error:
        raise ConfigError(
            Problem(str(path), f"cannot read: {error.strerror}", "name a type that has a file")
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ConfigError(
            Problem(str(path), "not a file of distributions", "see docs/morphologies.md")
        ) from None
    if faults := [fault for fault in problems if fault]:
        hint = "see docs/morphologies.md, or make it anew"
        raise ConfigError([Problem(str(path), fault, hint) for fault in faults])
    return cells


_TREE = {"trunk": 3, "toward": 3, "depth": len(DEPTHS), "diameters": 2}
"""Keys of a tree that hold so many numbers each."""


def _fault(cell: dict) -> str:
    """What makes a cell's distributions unusable; empty where nothing does.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: If they are something else altogether.
    """
    name = f"cell {cell['name']!r}"
    if not 0 < float(cell["soma_radius"]) < math.inf:
        return f"{name}: soma_radius is {cell['soma_radius']!r}"
    for number, tree in enumerate(cell["trees"]):
        where = f"{name}, tree {number}"
        if tree.get("type") not in KINDS:
            return f"{where}: type is {tree.get('type')!r}"
        try:
            rows = {key: np.array(tree.get(key), float) for key in ("bars", "width", *_TREE)}
        except (TypeError, ValueError):
            return f"{where}: bars, width, {', '.join(_TREE)} are not all numbers"
        shapes = {"bars": (max(len(rows["bars"].ravel()) // 6, 1), 6), "width": ()}
        for key, values in rows.items():
            shape = shapes.get(key, (_TREE.get(key),))
            if values.shape != shape or not np.isfinite(values).all():
                return (
                    f"{where}: {key} has shape {list(values.shape)}; expected finite {list(shape)}"
                )
    return ""


def require_neurots() -> None:
    """Asks for NeuroTS; its import takes seconds and is left to who grows.

    Raises:
        ToolError: If it is not installed.
    """
    if find_spec("neurots") is None:
        hint = "run 'make', or see docs/morphologies.md"
        raise ToolError(Problem("neurots", "is not installed", hint))


def grow_cell(
    cell: dict, kinds: tuple[int, ...], seed: int, stage: str, ids: tuple[int, ...], tries: int
) -> Shape:
    """Grows some kinds of neurites of one cell.

    Args:
        cell: Distributions of one real cell.
        kinds: SWC types wanted.
        seed: The model's seed.
        stage: Name that separates the draws, such as the m-type.
        ids: Numbers of the exemplar and the like.
        tries: Attempts per tree.

    Returns:
        Soma and neurites, with diameters; um.
    """
    sections: list[Section] = []
    for number, tree in enumerate(cell["trees"]):
        if KINDS[tree["type"]] not in kinds:
            continue
        kind = KINDS[tree["type"]]
        attempts = []
        for k in range(1 if kind == DEND else tries):
            rng = rng_for(seed, stage, *ids, number, k)
            grown = _grow_tree(tree, cell["soma_radius"], rng, WANDER[k % 2])
            attempts.append(turned(tree, grown) if kind == AXON else (misfit(tree, grown), grown))
        best = _drawn_to(tree, min(attempts, key=lambda found: found[0])[1])
        offset = len(sections)
        sections += [
            Section(s.kind, s.parent + offset if s.parent >= 0 else -1, s.points, s.diameters)
            for s in best
        ]
    return Shape(float(cell["soma_radius"]), tuple(sections))


def misfit(tree: dict, sections: list[Section]) -> float:
    """How far depths and width are from the real tree's, um, plus what length is wrong.

    A tree that lost a fraction of its length counts like one displaced by that part of its depth.
    """
    middles, lengths = pieces(sections)
    wanted = sum(bar[0] - bar[1] for bar in tree["bars"])
    lost = abs(1 - lengths.sum() / wanted) * (tree["depth"][-1] - tree["depth"][0])
    return float(_misplaced(tree, middles, lengths) + lost)


def _misplaced(tree: dict, middles: np.ndarray, lengths: np.ndarray) -> float:
    depths = np.array(weighted_quantile(middles[:, 1], lengths, DEPTHS)) - tree["depth"]
    across = weighted_quantile(np.hypot(middles[:, 0], middles[:, 2]), lengths, [0.9])[0]
    return float(np.abs(depths).mean() + abs(across - tree["width"]) / 2)


def turned(tree: dict, sections: list[Section]) -> tuple[float, list[Section]]:
    """Turns a tree about the soma so that it lies in the layers of the real one.

    Returns:
        The misfit, and the turned sections.
    """
    middles, lengths = pieces(sections)
    # A tenth of the segments is enough to tell the depths.
    few = slice(None, None, max(1, len(middles) // _FEW))
    turns = _turns(_TURNS)
    costs = [_misplaced(tree, middles[few] @ turn.T, lengths[few]) for turn in turns]
    turn = turns[int(np.argmin(costs))]
    found = [Section(s.kind, s.parent, s.points @ turn.T, s.diameters) for s in sections]
    return misfit(tree, found), found


def _turns(count: int) -> list[np.ndarray]:
    """Rotations that bring evenly spread directions to the y axis (Fibonacci sphere); the first: none."""
    turns = [np.eye(3)]
    for i in range(count):
        y = 1 - 2 * (i + 0.5) / count
        angle = math.pi * (3 - math.sqrt(5)) * i
        up = np.array(
            [math.cos(angle) * math.sqrt(1 - y * y), y, math.sin(angle) * math.sqrt(1 - y * y)]
        )
        side = np.cross(up, [0.0, 0.0, 1.0] if abs(up[2]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        turns.append(np.stack([side, up, np.cross(side, up)]))
    return turns


def _drawn_to(tree: dict, sections: list[Section]) -> list[Section]:
    """Stretches a tree about the soma, by no more than a half, to the real tree's height and width."""
    middles, lengths = pieces(sections)
    y = np.concatenate([s.points[:, 1] for s in sections])
    across = weighted_quantile(np.hypot(middles[:, 0], middles[:, 2]), lengths, [0.9])[0]
    factors = [
        float(np.clip(wanted / now, 1 / _STRETCH, _STRETCH)) if now > 20 and wanted > 20 else 1.0
        for wanted, now in (
            (tree["depth"][-1], y.max()),
            (-tree["depth"][0], -y.min()),
            (tree["width"], across),
        )
    ]
    return stretch_sections(sections, *factors)


def growth_step(tree: dict) -> float:
    """Returns the mean step of the growing tips of a tree, um."""
    length = sum(bar[0] - bar[1] for bar in tree["bars"])
    mean_section = length / (2 * len(tree["bars"]) - 1)
    return float(np.clip(mean_section / _STEPS_PER_SECTION, _SHORTEST, _LONGEST))


def _grow_tree(
    tree: dict, soma_radius: float, rng: np.random.Generator, wander: tuple[float, float]
) -> list[Section]:
    from morphio.mut import Morphology
    from neurots.generate.tree import TreeGrower

    from pipeline.morphologies.flat_stop import with_flat_stop

    kind = KINDS[tree["type"]]
    step = growth_step(tree)
    direction = np.array(tree["trunk" if kind == DEND else "toward"], float)
    direction /= np.linalg.norm(direction)
    parameters = {
        "randomness": wander[0],
        "targeting": wander[1],
        "growth_method": "tmd_apical" if kind == APIC else "tmd",
        "branching_method": "bio_oriented",
        "modify": None,
        "step_size": {"norm": {"mean": step, "std": step / 5}},
        "metric": "path_distances",
        "tree_type": kind,
        "has_apical_tuft": True,
    }
    grown = Morphology()
    grower = TreeGrower(
        grown,
        initial_direction=direction,
        initial_point=direction * soma_radius,
        parameters=parameters,
        distributions={"persistence_diagram": [[list(bar) for bar in tree["bars"]]]},
        context={},
        random_generator=rng,
    )
    with_flat_stop(grower)
    while not grower.end():
        grower.next_point()
    return _with_diameters(_sections(grown, kind), *tree["diameters"])


def _sections(grown, kind: int) -> list[Section]:
    sections, index = [], {}
    for section in grown.iter():
        index[section.id] = len(sections)
        parent = -1 if section.is_root else index[section.parent.id]
        points = np.asarray(section.points, np.float64)
        sections.append(Section(kind, parent, points, np.ones(len(points))))
    return sections


def _with_diameters(sections: list[Section], trunk: float, tip: float) -> list[Section]:
    """Gives diameters: tip n^p for n tips downstream, p so that the root has the trunk's diameter.

    Within a section the diameter runs linearly to that of its thickest child; terminal sections keep
    the tip's. Rall's 3/2 law would be p = 2/3; here p follows from the two medians of the real tree.
    """
    tips = np.zeros(len(sections), int)
    thickest = np.zeros(len(sections), int)
    for index in reversed(range(len(sections))):
        tips[index] = max(tips[index], 1)
        parent = sections[index].parent
        if parent >= 0:
            tips[parent] += tips[index]
            thickest[parent] = max(thickest[parent], tips[index])
    tip = max(tip, 0.1)
    power = np.log(max(trunk, tip) / tip) / np.log(tips[0]) if tips[0] > 1 else 0.0
    made = []
    for index, section in enumerate(sections):
        start = tip * tips[index] ** power
        end = tip * max(thickest[index], 1) ** power
        part = section.arc / section.length
        diameters = start + (end - start) * part
        made.append(Section(section.kind, section.parent, section.points, diameters))
    return made
