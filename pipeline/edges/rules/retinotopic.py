"""Draws the sources of the law ``retinotopic``: units inside two subfields of every target.

What a target draws (input or not, sign, ellipses, frequency) is keyed by (seed, rule, target), and
whether a unit is kept by (seed, rule, source, target): blocks, threads and parts change nothing.
Units lie in a grid, so that work is proportional to the units near a subfield.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from pipeline.config.retinotopic import RetinotopicConnect
from pipeline.config.yaml_lines import KeyPath
from pipeline.edges.rules.chain import fold
from pipeline.edges.rules.compiled import CompiledRule, Side, VisualField
from pipeline.edges.rules.laws import angle_between
from pipeline.edges.rules.random import uniforms
from pipeline.edges.rules.retinotopic_numbers import (
    ASPECT,
    DISTANCE,
    DUAL,
    FREQUENCY,
    ON,
    PROBABILITY,
    SUSTAINED_OFF,
    SUSTAINED_ON,
    TRANSIENT,
    WIDTH,
    class_numbers,
    unit_groups,
)
from pipeline.edges.rules.sample import compact
from pipeline.edges.rules.tables import PairValues
from pipeline.kernels import kernel

FIELD, KEEP = 16, 17
"""Purposes of the draws, apart from those in ``random``."""
PER_BIN = 4.0
"""Units per bin of the grid."""
PLAN_TARGETS = 40_000
"""Targets that are drawn to tell how many edges there will be."""


def compile_field(
    law: RetinotopicConnect, path: KeyPath, values: PairValues, source: Side, target: Side
) -> VisualField | None:
    """Turns the law into arrays; None with problems in ``values.findings``.

    Args:
        law: The law.
        path: Its key path.
        values: Classes of the rule.
        source: Units; ``x`` and ``y`` are linear degrees of the visual field.
        target: Cells.
    """
    findings = values.findings
    before = len(findings.errors())
    numbers = class_numbers(law, path, values.target, findings)
    groups, frequency = unit_groups(law, path, source.frame, values.source.codes, findings)
    _check_places(law, path, values, target)
    missing = [axis for axis in "xy" if axis not in source.frame]
    if missing:
        findings.add(path, "retinotopic needs x and y of the units; they have none")
    if len(findings.errors()) > before:
        return None
    chosen = np.flatnonzero(groups >= 0)
    angle = source.points[:, 3] if source.tuned else np.full(len(groups), np.nan)
    if (~np.isfinite(angle) & (groups == DUAL)).any():
        count = int((~np.isfinite(angle) & (groups == DUAL)).sum())
        message = f"{count} dual units have no tuning angle"
        findings.add((*path, "units", "dual"), message, "give it, or take them off the list")
        return None
    points = source.frame[["x", "y"]].to_numpy(np.float64)
    units = np.column_stack([points, frequency, angle])[chosen]
    order, starts, shape, grid = _grid(units[:, :2])
    distinct = [np.unique(frequency[groups == group]) for group in range(DUAL)]
    padded = np.zeros((DUAL, max(1, *(len(one) for one in distinct))))
    for row, one in zip(padded, distinct, strict=True):
        row[: len(one)] = one
    codes = values.source.codes[chosen]
    grouped = (np.bincount(codes, minlength=len(values.source)) > 0).astype(np.float64)[:, None]
    ahead = 1.0 if law.transient_ahead else -1.0
    field = VisualField(
        chosen[order].astype(np.int64), np.ascontiguousarray(units[order]),
        groups[chosen][order].astype(np.int64), starts, shape, grid, padded,
        np.array([len(one) for one in distinct], np.int64), numbers,
        np.array([*law.centre, *law.degrees_per_um], np.float64),
        np.array([law.rotation, law.dual.tolerance, law.dual.gap, ahead]), grouped,
    )  # fmt: skip
    _check_reach(field, path, values, target)
    return field if len(findings.errors()) == before else None


def _check_places(law, path: KeyPath, values: PairValues, target: Side) -> None:
    findings, codes = values.findings, values.target.codes
    if not set("xyz") <= set(target.frame.columns):
        findings.add(path, "retinotopic needs positions x, y, z; the target nodes have none")
        return
    if not target.tuned:
        message = "retinotopic needs tuning angles; the target nodes have none"
        findings.add(path, message, "give them tuning, or name their column under angle")
        return
    for name, wrong in (
        ("tuning angle", ~np.isfinite(target.points[:, 3])),
        ("place", ~np.isfinite(target.points[:, :3]).all(axis=1)),
    ):
        wrong &= codes >= 0
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            message = f"{int(wrong.sum())} target nodes have no {name}, the first is {first}"
            findings.add(path, message, "give it, or select others")
    visual = np.abs(target.points[:, [0, 2]] * np.array(law.degrees_per_um))[codes >= 0]
    if visual.size and np.nanmax(visual) >= 90.0:
        message = f"a target lies {np.nanmax(visual):.4g} degrees off the centre"
        findings.add((*path, "degrees_per_um"), message, "the tangent ends at 90 degrees")


def _check_reach(field: VisualField, path: KeyPath, values: PairValues, target: Side) -> None:
    """Complains when no subfield can reach any unit."""
    codes = values.target.codes
    wired = field.numbers[:, PROBABILITY] > 0
    chosen = (codes >= 0) & wired[np.maximum(codes, 0)]
    if not chosen.any():
        return  # told already as a probability of 0 everywhere
    centres = visual_centres(field, target.points[chosen])
    numbers = field.numbers[codes[chosen]]
    half, axis = numbers[:, DISTANCE + 1] / 2, numbers[:, WIDTH + 1] / 2 * numbers[:, ASPECT + 1]
    reach = np.maximum(half + axis, half * field.options[2])[:, None]
    low, high = field.units[:, :2].min(axis=0), field.units[:, :2].max(axis=0)
    if not ((centres + reach >= low) & (centres - reach <= high)).all(axis=1).any():
        message = "no unit lies within reach of any target"
        spread = " to ".join(f"({a:.4g}, {b:.4g})" for a, b in (low, high))
        values.findings.add((*path, "centre"), message, f"units lie at {spread} degrees")


def visual_centres(field: VisualField, points: np.ndarray) -> np.ndarray:
    """Retinotopic centres: float64 [n, 2], linear degrees, of points [n, 4] in um."""
    radians = np.radians(points[:, [0, 2]] * field.place[2:])
    return field.place[:2] + np.degrees(np.tan(radians))


def _grid(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sorts points [n, 2] into square bins; returns order, starts, shape and corner with side."""
    low = points.min(axis=0)
    extent = points.max(axis=0) - low
    area = max(extent[0], 1e-9) * max(extent[1], 1e-9)
    side = max(math.sqrt(area * PER_BIN / len(points)), float(extent.max()) / 4096, 1e-9)
    shape = (extent // side).astype(np.int64) + 1
    bins = np.minimum(((points - low) // side).astype(np.int64), shape - 1)
    flat = bins[:, 0] * shape[1] + bins[:, 1]
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(shape.prod() + 1)).astype(np.int64)
    return order, starts, shape, np.array([*low, side])


@kernel()
def _frequency(mean, u):
    """Poisson number above 0 by inversion of one uniform."""
    k, p = 0, math.exp(-mean)
    total, wanted = p, p + u * (1.0 - p)
    while (wanted >= total or k == 0) and k < 1000:
        k += 1
        p *= mean / k
        total += p
    return float(k)


@kernel()
def _kept(field, group, unit, wanted, angle):
    """Probability that a unit inside its ellipse is taken."""
    if group == DUAL:
        near = fold(angle_between(angle, field.units[unit, 3]), 90.0) < field.options[1]
        return 1.0 if near else 0.0
    n = field.n_frequencies[group]
    if n == 1:
        return 1.0
    total = 0.0
    for i in range(n):
        total += abs(wanted - field.frequencies[group, i])
    return (1.0 - abs(wanted - field.units[unit, 2]) / total) / (n - 1)


@kernel()
def _inside(
    field, key, target, group, x, y, minor, major, turn, wanted, angle, skip, out, place, naive
):
    """Takes the units of one group in one ellipse; returns the next free place of ``out``."""
    if minor <= 0.0:
        return place  # subfields that coincide leave no room for dual units
    c, s = math.cos(turn), math.sin(turn)
    wide = math.sqrt((major * c) ** 2 + (minor * s) ** 2) * (1.0 + 1e-9)
    tall = math.sqrt((major * s) ** 2 + (minor * c) ** 2) * (1.0 + 1e-9)
    x0, y0, side = field.grid[0], field.grid[1], field.grid[2]
    i0, i1 = math.floor((x - wide - x0) / side), math.floor((x + wide - x0) / side)
    j0, j1 = math.floor((y - tall - y0) / side), math.floor((y + tall - y0) / side)
    nx, ny = field.shape[0], field.shape[1]
    # The last bin also holds what rounding puts a hair beyond it.
    i0, j0 = min(max(i0, 0), nx - 1), min(max(j0, 0), ny - 1)
    i1, j1 = min(i1, nx - 1), min(j1, ny - 1)
    if naive:
        i0, i1, j0, j1 = 0, nx - 1, 0, ny - 1
    for i in range(i0, i1 + 1):
        for unit in range(field.starts[i * ny + j0], field.starts[i * ny + max(j1, j0 - 1) + 1]):
            if field.groups[unit] != group or field.ids[unit] == skip:
                continue
            dx, dy = field.units[unit, 0] - x, field.units[unit, 1] - y
            a, b = (dx * c + dy * s) / major, (dy * c - dx * s) / minor
            if a * a + b * b > 1.0:
                continue
            chance = _kept(field, group, unit, wanted, angle)
            if uniforms(key, field.ids[unit], target, KEEP, 0)[0] < chance:
                if place < len(out):
                    out[place] = field.ids[unit]
                place += 1
    return place


@kernel()
def _sources(field, key, target, points, ct, skip, out, naive):
    """Draws one target; returns its number of edges, which may exceed the room in ``out``."""
    numbers = field.numbers
    # Typed: `_inside` would be compiled for each bare number.
    n, transient, dual = np.int64(0), np.int64(TRANSIENT), np.int64(DUAL)
    u, v = uniforms(key, 0, target, FIELD, 0)
    if u >= numbers[ct, PROBABILITY]:
        return 0
    sustained = SUSTAINED_ON if v < numbers[ct, ON] else SUSTAINED_OFF
    u, v = uniforms(key, 0, target, FIELD, 1)
    half = (numbers[ct, DISTANCE] + u * (numbers[ct, DISTANCE + 1] - numbers[ct, DISTANCE])) / 2.0
    minor = (numbers[ct, WIDTH] + v * (numbers[ct, WIDTH + 1] - numbers[ct, WIDTH])) / 2.0
    u, v = uniforms(key, 0, target, FIELD, 2)
    major = minor * (numbers[ct, ASPECT] + u * (numbers[ct, ASPECT + 1] - numbers[ct, ASPECT]))
    wanted = _frequency(numbers[ct, FREQUENCY], v)
    angle = points[target, 3]
    x = field.place[0] + math.degrees(math.tan(math.radians(field.place[2] * points[target, 0])))
    y = field.place[1] + math.degrees(math.tan(math.radians(field.place[3] * points[target, 2])))
    turn = math.radians(angle + field.options[0])
    ahead = field.options[3] * half
    ex, ey = ahead * math.cos(math.radians(angle)), ahead * math.sin(math.radians(angle))
    n = _inside(
        field, key, target, sustained, x - ex, y - ey, minor, major, turn, wanted, angle, skip,
        out, n, naive,
    )  # fmt: skip
    n = _inside(
        field, key, target, transient, x + ex, y + ey, minor, major, turn, wanted, angle, skip,
        out, n, naive,
    )  # fmt: skip
    # A dual unit has both signs itself: an ellipse round the centre, as wide as a subfield and
    # within the distance of both (select_lgn_sources of the release).
    return _inside(
        field, key, target, dual, x, y, half * field.options[2], minor, turn, wanted, angle, skip,
        out, n, naive,
    )  # fmt: skip


@kernel(parallel=True)
def _block(field, key, points, classes, chosen, skip_self, slots, out, counts, naive):
    for i in prange(len(chosen)):
        target = chosen[i]
        counts[i] = 0
        if classes[target] >= 0:
            room = out[slots[i] : slots[i + 1]]
            skip = target if skip_self else -1
            counts[i] = _sources(field, key, target, points, classes[target], skip, room, naive)


def draw(
    rule: CompiledRule, points: np.ndarray, low: int, high: int, naive: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the sources of targets ``low`` to ``high`` - 1.

    Args:
        rule: A retinotopic rule.
        points: float64 [targets, 4]. Places (um) and tuning angles (degrees) of all targets.
        low: First target.
        high: Last target + 1.
        naive: Look at all units instead of those in near bins (for tests).

    Returns:
        Counts int64 [high - low], and source ids int64 [sum], target after target, unsorted.
    """
    return _draw(rule, points, np.arange(low, high), naive)


def _draw(rule: CompiledRule, points, chosen: np.ndarray, naive: bool):
    arguments = rule.field, rule.key, points, rule.target.codes, chosen, rule.skip_self
    counts = np.zeros(len(chosen), np.int64)
    slots = 64 * np.arange(len(chosen) + 1)
    out = np.empty(slots[-1], np.int64)
    _block(*arguments, slots, out, counts, naive)
    if (counts > 64).any():
        # The draws are a pure function of the ids: a second run with room gives the same edges.
        slots = np.concatenate(([0], np.cumsum(counts)))
        out = np.empty(slots[-1], np.int64)
        _block(*arguments, slots, out, counts, naive)
    return counts, compact(slots, counts, out)


def mean_sources(rule: CompiledRule, points: np.ndarray) -> np.ndarray:
    """Mean number of sources per target by classes: what evenly chosen targets really draw.

    Exact, as the draws are those of the build, where a class has few members.

    Returns:
        float64 [source classes, target classes].
    """
    codes, n_classes = rule.target.codes, len(rule.target)
    most = max(8, PLAN_TARGETS // max(n_classes, 1))
    means = np.zeros((len(rule.source), n_classes))
    for c in range(n_classes):
        members = np.flatnonzero(codes == c)
        taken = min(most, len(members))
        chosen = members[np.arange(taken) * len(members) // max(taken, 1)]
        _, sources = _draw(rule, points, chosen, False)
        means[:, c] = np.bincount(rule.source.codes[sources], minlength=len(means)) / max(taken, 1)
    return means
