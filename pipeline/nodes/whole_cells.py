"""Cells with morphologies in placed populations: stand-ins by class, or a user's models by depth.

As in the published V1 model every single-cell model is a node type of its own, so that morphology and
e-model stand in the types table (Billeh et al. 2020).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from pipeline.cells.allen import read_fit
from pipeline.cells.description import stored_cell
from pipeline.cells.library import class_row
from pipeline.cells.morphology import (
    AXON,
    MYELIN,
    SOMA,
    Morphology,
    read_morphology,
    segment_counts,
)
from pipeline.cells.parametric import grow
from pipeline.config.cell_models import BiophysicalModel, model_of
from pipeline.config.celltypes import TypeSpec
from pipeline.config.emodel import EModel, read_emodel
from pipeline.config.load import Resolved
from pipeline.config.placement import PlacedNodes
from pipeline.config.schema import OddLength
from pipeline.config.tables import read_rows
from pipeline.errors import ConfigError, MorphologyError, PipelineError, Problem
from pipeline.nodes.point_cells import value_of
from pipeline.nodes.streams import TypeStream
from pipeline.runtime import write_json, write_text
from pipeline.sonata.layout import CELL_TEMPLATE, CircuitPaths

_COLUMNS = ("name", "fit", "morphology", "depth")


@dataclass(frozen=True)
class Candidate:
    """One single-cell model.

    Attributes:
        name: Its name, also that of its files.
        emodel: The membrane.
        swc: Text of its morphology, soma at the origin.
        depth: um below the pia of the cell it was made from; NaN for stand-ins.
        rotation: rad, about z, to make its apical axis point to the pia.
        reach: um, from the soma to its highest dendrite after the rotation.
    """

    name: str
    emodel: EModel
    swc: str
    depth: float = math.nan
    rotation: float = 0.0
    reach: float = 0.0


def is_whole(nodes: PlacedNodes, spec: TypeSpec) -> bool:
    """Whether the cells of a node type have morphologies."""
    found = model_of(nodes.cell_models, spec.region)
    return found is not None and isinstance(found[1], BiophysicalModel)


def whole_cells(resolved: Resolved, name: str, specs: list[TypeSpec]) -> dict[int, list[Candidate]]:
    """Reads the single-cell models of each node type that has any.

    Args:
        resolved: The model.
        name: The population.
        specs: Its node types.

    Returns:
        Candidates by the index of the node type; empty where there are no morphologies.

    Raises:
        ConfigError: With everything that is wrong or missing.
        MorphologyError: If only morphologies are unusable.
    """
    nodes: PlacedNodes = resolved.model.nodes[name]
    found: dict[int, list[Candidate]] = {}
    known: dict[tuple[str, str], list[Candidate]] = {}
    problems: list[Problem] = []
    for index, spec in enumerate(specs):
        if not is_whole(nodes, spec):
            continue
        region, model = model_of(nodes.cell_models, spec.region)
        value = value_of(model, spec)
        if (region, value) not in known:
            known[region, value] = []
            where = resolved.origin(("nodes", name, "cell_models", region))
            try:
                known[region, value] = _read(resolved, name, model, value, where)
            except PipelineError as error:
                problems += error.problems
        found[index] = known[region, value]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return found


def write_whole_cells(
    resolved: Resolved, name: str, found: dict[int, list[Candidate]], specs: list[TypeSpec],
    paths: CircuitPaths,
) -> None:  # fmt: skip
    """Writes ``components/morphologies`` and ``components/emodels``."""
    nodes: PlacedNodes = resolved.model.nodes[name]
    for index, candidates in found.items():
        model = model_of(nodes.cell_models, specs[index].region)[1]
        rule = OddLength(rule="odd_length", length=model.length)
        for cell in candidates:
            write_text(paths.morphologies / f"{cell.name}.swc", cell.swc)
            write_json(
                paths.emodels / f"{cell.name}.json", stored_cell(cell.emodel, rule, model.axon)
            )


def cell_size(cell: Candidate, model: BiophysicalModel) -> tuple[int, int]:
    """Returns the numbers of sections and compartments of a single-cell model."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{cell.name}.swc"
        path.write_text(cell.swc, encoding="utf-8")
        shape = read_morphology(path, model.axon)
    counts = segment_counts(shape, OddLength(rule="odd_length", length=model.length), cell.emodel)
    return len(counts), int(counts.sum())


def whole_entries(cell: Candidate) -> dict[str, object]:
    """Returns what a node type says of its single-cell model."""
    entry = {
        "model_type": "biophysical",
        "model_template": CELL_TEMPLATE,
        "model_name": cell.name,
        "morphology": cell.name,
        "dynamics_params": f"{cell.name}.json",
    }
    return entry | ({"rotation_angle_zaxis": cell.rotation} if cell.rotation else {})


def choose(
    model: BiophysicalModel, candidates: list[Candidate], depths: np.ndarray, stream: TypeStream,
    where: str,
) -> np.ndarray:  # fmt: skip
    """Draws a candidate for every soma of a node type.

    Candidates whose dendrites leave the pia by more than ``overhang`` are out; the others weigh
    exp(-(d_soma - d_model)^2 / (2 depth_sd^2)) (release notes of Billeh et al. 2020).

    Args:
        model: The config.
        candidates: Single-cell models of the type.
        depths: float64 [n], um below the pia.
        stream: Random numbers of the type; a cell's draw belongs to its index in the type.
        where: File and line of the config, for messages.

    Returns:
        int64 [n], index of the candidate.

    Raises:
        ConfigError: If a soma has no candidate.
    """
    if len(candidates) == 1:
        return np.zeros(len(depths), np.int64)
    allowed = np.array([c.reach for c in candidates])[None, :] - depths[:, None] <= model.overhang
    if not allowed.any(axis=1).all():
        depth = float(depths[~allowed.any(axis=1)][0])
        message = f"no candidate of {stream.path[-1]} fits below the pia at a depth of {depth:g} um"
        raise ConfigError(Problem(where, message, "raise overhang, or add a smaller cell"))
    offset = (depths[:, None] - np.array([c.depth for c in candidates])) / model.depth_sd
    # The largest exponent is taken out, so that far candidates do not all become 0.
    power = np.where(allowed, -(offset**2) / 2, -np.inf)
    weights = np.exp(power - power.max(axis=1, keepdims=True))
    bounds = np.cumsum(weights, axis=1)
    draws = stream.uniforms("cell_model", 0, len(depths))[:, :1] * bounds[:, -1:]
    return (draws >= bounds).sum(axis=1)


def _read(
    resolved: Resolved, population: str, model: BiophysicalModel, value: str, where: str
) -> list[Candidate]:
    if not value:
        hint = "by names a label or column of the types"
        raise ConfigError(Problem(where, f"cell types without {model.by}", hint))
    if model.folder:
        return _candidates(resolved, population, model, value)
    emodel, numbers = class_row(resolved.path(model.shapes), value)
    path = resolved.path(model.emodels) / f"{emodel}.yaml"
    return [Candidate(f"{population}_{value}", read_emodel(path)[0], grow(value, numbers))]


def _candidates(
    resolved: Resolved, population: str, model: BiophysicalModel, value: str
) -> list[Candidate]:
    path, folder = resolved.path(model.models), resolved.path(model.folder)
    table = read_rows(path)
    missing = [c for c in (*_COLUMNS, model.by) if c not in table]
    if missing:
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", f"needed: {missing}"))
    rows = [(i + 2, row) for i, row in enumerate(table.records()) if row[model.by] == value]
    if not rows:
        message = f"no row for {model.by} {value}"
        raise ConfigError(Problem(str(path), message, "add at least one cell"))
    problems: list[Problem] = []
    cells: list[Candidate] = []
    for line, row in rows:
        try:
            cells.append(_candidate(folder, population, row, model.axon))
        except ValueError:
            shown = f"depth {row['depth']!r}, rotation {row.get('rotation_angle_zaxis')!r}"
            problems.append(Problem(f"{path}:{line}", shown, "write finite numbers"))
        except PipelineError as error:
            problems += error.problems
    if problems:
        raise MorphologyError(problems)
    return cells


def _candidate(folder: Path, population: str, row: dict[str, str], axon: str) -> Candidate:
    depth, angle = float(row["depth"]), float(row.get("rotation_angle_zaxis") or 0.0)
    if not (math.isfinite(depth) and math.isfinite(angle)):
        raise ValueError("not finite")
    for column in ("fit", "morphology"):
        if (folder / row[column]).resolve().parent != folder.resolve():
            raise ConfigError(Problem(row[column], "leaves the folder", "use file names only"))
    file = folder / row["morphology"]
    shape = read_morphology(file, axon)
    emodel = read_fit(folder / row["fit"])
    name, reach = f"{population}_{row['name']}", _reach(shape, angle)
    return Candidate(name, emodel, centred_swc(file, shape.soma_position), depth, angle, reach)


def _reach(shape: Morphology, angle: float) -> float:
    """Height of the highest dendrite above the soma, um, after a rotation about z."""
    dendrites = [s.points for s in shape.sections if s.kind not in (SOMA, AXON, MYELIN)]
    if not dendrites:
        return 0.0
    offset = np.concatenate(dendrites) - shape.soma_position
    return float((offset[:, 0] * math.sin(angle) + offset[:, 1] * math.cos(angle)).max())


def centred_swc(path: Path, centre: np.ndarray) -> str:
    """Returns an SWC file's text with a point, such as the soma, at the origin."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words and not line.lstrip().startswith("#"):
            moved = [f"{float(w) - c:.10g}" for w, c in zip(words[2:5], centre, strict=True)]
            line = " ".join([*words[:2], *moved, *words[5:]])
        lines.append(line)
    return "\n".join(lines) + "\n"
