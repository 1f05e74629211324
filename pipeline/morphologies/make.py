"""Makes one exemplar: its parts are grown or taken, joined, fitted to the layers and written."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.cells.morphology import APIC, AXON, DEND
from pipeline.morphologies import measure
from pipeline.morphologies.compose import fit, without_apical
from pipeline.morphologies.exemplars import Exemplar
from pipeline.morphologies.grow import grow_cell
from pipeline.morphologies.redraw import aimed, shortfall
from pipeline.morphologies.repair import Finding
from pipeline.morphologies.shape import Shape, canonical, join
from pipeline.morphologies.swc import swc_text
from pipeline.runtime import rng_for

CATALOGUE = (
    "name",
    "m_type",
    "layer",
    "has_axon",
    "source",
    "licence",
    "dendrite_from",
    "axon_from",
    "dendrite_cell",
    "axon_cell",
    "soma_depth",
    "n_sections",
    "n_points",
    "axon_length",
    "dendrite_length",
    "axon_y_min",
    "axon_y_max",
    "dendrite_y_min",
    "dendrite_y_max",
)


@dataclass(frozen=True)
class Donor:
    """A cell that gives dendrites or axon.

    Attributes:
        m_type, name, source, licence: Of the real cell.
        body: Its shape, or the distributions to grow it from.
    """

    m_type: str
    name: str
    source: str
    licence: str
    body: Shape | dict


@dataclass(frozen=True)
class Task:
    """All that one exemplar is made from; pure data, so that any process may do it."""

    name: str
    index: int
    exemplar: Exemplar
    dendrites: Donor
    axon: Donor | None
    depth: float | None
    layers: dict[str, float]
    simplify: float
    seed: int
    tries: int
    redraws: int = 0


@dataclass(frozen=True)
class Made:
    """One finished exemplar: its file's text and its rows of the tables."""

    name: str
    text: str
    row: dict[str, object]
    measured: list[dict[str, object]]
    layers: list[dict[str, object]]
    findings: list[Finding]


def make(task: Task) -> Made:
    """Grows or takes the parts of one exemplar, joins, fits, orders and simplifies them."""
    row = task.exemplar
    dendrites = without_apical(_part(task, task.dendrites, (DEND, APIC)), row.apical)
    shape, findings = _with_axon(task, dendrites, 0)
    if task.redraws and task.depth is not None:
        shape, findings = _redrawn(task, dendrites, shape, findings)
    who = {"m_type": row.m_type, "name": task.name}
    measured = [who | part for part in measure.measure(shape)]
    known = measure.in_layers(shape, task.layers, task.depth) if task.depth is not None else []
    layers = [who | part for part in known]
    return Made(task.name, swc_text(shape), _row(task, shape), measured, layers, findings)


def _with_axon(task: Task, dendrites: Shape, attempt: int) -> tuple[Shape, list[Finding]]:
    """Joins the axon of one attempt to the dendrites, fits, orders and simplifies them."""
    from pipeline.morphologies.simplify import simplify  # its compiler: not to check a model

    row = task.exemplar
    shape = join(dendrites, _part(task, task.axon, (AXON,), attempt))
    findings: list[Finding] = []
    if task.depth is not None and _is_fitted(task):
        draws = rng_for(task.seed, f"morphologies/thin/{row.m_type}", task.index)
        uniforms = draws.random(len(shape.sections))
        shape, findings = fit(shape, row, task.layers, task.depth, uniforms)
    return simplify(canonical(shape), task.simplify), findings


def _redrawn(
    task: Task, dendrites: Shape, shape: Shape, findings: list[Finding]
) -> tuple[Shape, list[Finding]]:
    """Grows the axon anew until it misses nothing that its row asks for, or keeps the nearest."""
    first = best = shortfall(shape, task.exemplar, task.layers, task.depth)
    kept = made = 0
    while best.amount and made < task.redraws:
        made += 1
        other, told = _with_axon(task, dendrites, made)
        now = shortfall(other, task.exemplar, task.layers, task.depth)
        if now.amount < best.amount:
            best, kept, shape, findings = now, made, other, told
    if made:
        what = f"attempt {kept} of {made} kept" + (f": {best.text}" if best.amount else "")
        findings = [Finding("redrawn", "axon", first.text, what), *findings]
    return shape, findings


def _is_fitted(task: Task) -> bool:
    """Whole real cells of the right type stay as they are."""
    whole = isinstance(task.dendrites.body, Shape) and task.dendrites is task.axon
    return not (whole and task.dendrites.m_type == task.exemplar.m_type)


def _part(task: Task, donor: Donor, kinds: tuple[int, ...], attempt: int = 0) -> Shape:
    """Takes or grows a part; attempts after the first aim at what the row asks for."""
    if isinstance(donor.body, Shape):
        return donor.body
    stage, body = f"morphologies/{task.exemplar.m_type}", donor.body
    if attempt:
        stage = f"{stage}/redrawn/{attempt}"
        body = aimed(body, task.exemplar, task.layers, task.depth)
    return grow_cell(body, kinds, task.seed, stage, (task.index, kinds[0]), task.tries)


def _row(task: Task, shape: Shape) -> dict[str, object]:
    m_type, given, axon = task.exemplar.m_type, task.dendrites, task.axon
    points = {kinds: shape.points(*kinds) for kinds in ((AXON,), (DEND, APIC))}
    extents = [
        f"{value:.1f}" if len(part) else ""
        for part in points.values()
        for value in ((part[:, 1].min(), part[:, 1].max()) if len(part) else (0, 0))
    ]
    values = (
        task.name,
        m_type,
        task.exemplar.layer,
        int(bool(len(points[(AXON,)]))),
        "; ".join(dict.fromkeys([given.source, axon.source])),
        "; ".join(dict.fromkeys([given.licence, axon.licence])),
        given.m_type if given.m_type != m_type else "",
        axon.m_type if axon.m_type != m_type else "",
        given.name,
        axon.name,
        "" if task.depth is None else f"{task.depth:.1f}",
        len(shape.sections),
        sum(len(section.points) for section in shape.sections),
        f"{shape.length(AXON):.1f}",
        f"{shape.length(DEND, APIC):.1f}",
        *extents,
    )
    return dict(zip(CATALOGUE, values, strict=True))
