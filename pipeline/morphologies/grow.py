"""Grows cells with NeuroTS from the distributions of real trees.

Every tree is grown from the barcode of one real tree (Kanari et al. 2022, Cell Rep 39:110586). Of
several attempts the one is kept whose depths and width are nearest to the real tree's: barcodes know
path lengths and angles, but not the layers.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND, Section
from pipeline.errors import ConfigError, Problem, ToolError
from pipeline.morphologies.extract import DEPTHS
from pipeline.morphologies.measure import pieces, weighted_quantile
from pipeline.morphologies.shape import Shape
from pipeline.runtime import rng_for

KINDS = {"axon": AXON, "basal_dendrite": DEND, "apical_dendrite": APIC}
WANDER = ((0.24, 0.14), (0.15, 0.3))
"""Randomness and targeting of a growing tip: the defaults of NeuroTS, and a straighter choice (source:
assumed; attempts take turns)."""
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
    except OSError as error:
        raise ConfigError(
            Problem(str(path), f"cannot read: {error.strerror}", "name a type that has a file")
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            Problem(str(path), "not a file of distributions", "see docs/morphologies.md")
        ) from None
    return cells


def require_neurots() -> None:
    """Asks for NeuroTS.

    Raises:
        ToolError: If it is not installed.
    """
    try:
        import neurots  # noqa: F401
    except ImportError as error:
        hint = "run 'make', or see docs/morphologies.md"
        raise ToolError(Problem("neurots", f"cannot be imported ({error})", hint)) from None


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
        attempts = [
            _grow_tree(
                tree, cell["soma_radius"], rng_for(seed, stage, *ids, number, k), WANDER[k % 2]
            )
            for k in range(tries)
        ]
        best = min(attempts, key=lambda found: misfit(tree, found))
        offset = len(sections)
        sections += [
            Section(s.kind, s.parent + offset if s.parent >= 0 else -1, s.points, s.diameters)
            for s in best
        ]
    return Shape(float(cell["soma_radius"]), tuple(sections))


def misfit(tree: dict, sections: list[Section]) -> float:
    """How far depths, width and length are from the real tree's, um."""
    middles, lengths = pieces(sections)
    depths = np.array(weighted_quantile(middles[:, 1], lengths, DEPTHS)) - tree["depth"]
    across = weighted_quantile(np.hypot(middles[:, 0], middles[:, 2]), lengths, [0.9])[0]
    wanted = sum(bar[0] - bar[1] for bar in tree["bars"])
    # A tree that lost a fraction of its length is as bad as one displaced by that part of its extent.
    lost = abs(1 - lengths.sum() / wanted) * (tree["depth"][-1] - tree["depth"][0])
    return float(np.abs(depths).mean() + abs(across - tree["width"]) / 2 + lost)


def _grow_tree(
    tree: dict, soma_radius: float, rng: np.random.Generator, wander: tuple[float, float]
) -> list[Section]:
    from morphio.mut import Morphology
    from neurots.generate.tree import TreeGrower

    kind = KINDS[tree["type"]]
    length = sum(bar[0] - bar[1] for bar in tree["bars"])
    mean_section = length / (2 * len(tree["bars"]) - 1)
    step = float(np.clip(mean_section / _STEPS_PER_SECTION, _SHORTEST, _LONGEST))
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
