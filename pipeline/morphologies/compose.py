"""Makes the cells of an m-type: dendrites of one cell, axon of another, fitted to the soma's depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.cells.morphology import APIC, AXON, DEND
from pipeline.morphologies.exemplars import Exemplar, reach
from pipeline.morphologies.measure import pieces, weighted_quantile
from pipeline.morphologies.repair import Finding
from pipeline.morphologies.shape import Shape, stretch, thin

LEAST, MOST = 0.4, 2.5
"""Bounds of the factor by which neurites are stretched to reach a layer (source: assumed)."""
BELOW_PIA = 5.0
"""um. Neurites that would leave the cortex are pressed below this depth (source: assumed)."""


def without_apical(shape: Shape, how: str) -> Shape:
    """Keeps the apical dendrite, leaves it out, or counts it as basal."""
    if how == "none":
        keep = np.array([section.kind != APIC for section in shape.sections], bool)
        new = np.cumsum(keep) - 1
        sections = [
            replace(s, parent=int(new[s.parent]) if s.parent >= 0 else -1)
            for s, kept in zip(shape.sections, keep, strict=True)
            if kept
        ]
        return replace(shape, sections=tuple(sections))
    if how == "basal":
        sections = [replace(s, kind=DEND) if s.kind == APIC else s for s in shape.sections]
        return replace(shape, sections=tuple(sections))
    return shape


def fit(
    shape: Shape,
    exemplar: Exemplar,
    layers: dict[str, float],
    depth: float,
    uniforms: np.ndarray,
) -> tuple[Shape, list[Finding]]:
    """Stretches neurites to the layers that the table names, and keeps all below the pia.

    Args:
        shape: The cell.
        exemplar: Its row of the table.
        layers: Thickness by layer, um.
        depth: Of the soma below the pia, um.
        uniforms: float64 [sections of the axon or more], for thinning.

    Returns:
        The cell, and what could not be reached.
    """
    findings: list[Finding] = []
    top = reach(exemplar.axon_top, layers, depth)
    bottom = reach(exemplar.axon_bottom, layers, depth)
    shape = _reach(shape, (AXON,), top, bottom, findings)
    shape = _reach(shape, (APIC,), reach(exemplar.apical_top, layers, depth), None, findings)
    if exemplar.axon_width and shape.of_kind(AXON):
        middles, lengths = pieces(shape.of_kind(AXON))
        now = weighted_quantile(np.hypot(middles[:, 0], middles[:, 2]), lengths, [0.9])[0]
        shape = stretch(shape, (AXON,), width=_factor(exemplar.axon_width, now))
    for kinds in ((AXON,), (DEND,), (APIC,)):
        points = shape.points(*kinds)
        highest = float(points[:, 1].max()) if len(points) else 0.0
        if highest > max(depth - BELOW_PIA, 0.0) and highest > 0:
            shape = stretch(shape, kinds, up=max(depth - BELOW_PIA, 1.0) / highest)
    if exemplar.axon_length and shape.length(AXON) > exemplar.axon_length:
        shape = thin(shape, AXON, exemplar.axon_length, uniforms)
    return shape, findings


def _reach(
    shape: Shape,
    kinds: tuple[int, ...],
    top: float | None,
    bottom: float | None,
    findings: list[Finding],
) -> Shape:
    points = shape.points(*kinds)
    if not len(points):
        return shape
    name = "axon" if AXON in kinds else "apical"
    high, low = float(points[:, 1].max()), float(points[:, 1].min())
    up = _factor(top, high) if top is not None and top > 0 and high > 0 else 1.0
    down = _factor(-bottom, -low) if bottom is not None and bottom < 0 and low < 0 else 1.0
    for wanted, got in ((top, high * up), (bottom, low * down)):
        if wanted is not None and abs(wanted) - abs(got) > 10.0 and wanted * got >= 0:
            text = f"ends {got:.0f} um from the soma where {wanted:.0f} um is asked for"
            findings.append(Finding("reach", name, text, "kept"))
    return stretch(shape, kinds, up, down)


def _factor(wanted: float, now: float) -> float:
    return float(np.clip(wanted / now, LEAST, MOST)) if now > 0 else 1.0
