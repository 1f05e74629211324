"""Fifteen cubic neurons with synapses, gap junctions and played-in signals (Morrison & Young 2025)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import SimulationError

REST, UNSTABLE, ACTIVE = -0.8, 0.1, 1.0
"""Zeros of the cubic, GCaMP units; the potential is 25 x - 70 mV."""


@dataclass(frozen=True)
class Wiring:
    """Who may act on the core.

    Attributes:
        core, signals: Names; columns of the masks are core then signals.
        synapses: bool [core, core + signals]. A synapse exists (column to row).
        gaps: float64, same shape. Electrical contacts.
    """

    core: tuple[str, ...]
    signals: tuple[str, ...]
    synapses: np.ndarray
    gaps: np.ndarray


@dataclass(frozen=True)
class Weights:
    """What is fitted: synapses float64 [core, core + signals] and offsets d float64 [core], 1/s."""

    synapses: np.ndarray
    offsets: np.ndarray


def build_wiring(table: pd.DataFrame, core: list[str]) -> Wiring:
    """Builds the wiring onto the core from pairs.

    Args:
        table: pre, post, kind (chemical or electrical), count.
        core: Names of the core neurons.
    """
    onto = table[table["post"].isin(core) & (table["pre"] != table["post"])]
    signals = sorted(set(onto["pre"]) - set(core))
    rows = {name: i for i, name in enumerate(core)}
    columns = {name: i for i, name in enumerate([*core, *signals])}
    counts = {kind: np.zeros((len(core), len(columns))) for kind in ("chemical", "electrical")}
    for pre, post, kind, count in onto[["pre", "post", "kind", "count"]].itertuples(index=False):
        counts[kind][rows[post], columns[pre]] += count
    return Wiring(tuple(core), tuple(signals), counts["chemical"] > 0, counts["electrical"])


def cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Returns a (x + 0.8)(x - 0.1)(x - 1): stable at -0.8 and 1 for negative a."""
    return a * (x - REST) * (x - UNSTABLE) * (x - ACTIVE)


def gap_current(x: np.ndarray, others: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Returns sum_j G_ij (x_j - x_i): float64 [..., core] from [..., core] and [..., all]."""
    return others @ gaps.T - x * gaps.sum(1)


def simulate(
    wiring: Wiring,
    weights: Weights,
    times: np.ndarray,
    signals: np.ndarray,
    start: np.ndarray,
    *,
    rate: float = 1.0,
    a: float = -2.0,
    gap: float = 10.0,
) -> np.ndarray:
    """Integrates the core while signals are played in by linear interpolation.

    Args:
        wiring, weights: The model.
        times: float64 [frames], s.
        signals: float64 [frames, signals].
        start: float64 [core].
        rate, a, gap: Factor on the cubic, its coefficient, weight of one electrical contact.

    Returns:
        float64 [frames, core].

    Raises:
        SimulationError: If the integrator gives up.
    """
    from scipy.integrate import solve_ivp

    def slope(t: float, x: np.ndarray) -> np.ndarray:
        index = min(max(int(np.searchsorted(times, t, "right")) - 1, 0), len(times) - 2)
        share = (t - times[index]) / (times[index + 1] - times[index])
        played = signals[index] + share * (signals[index + 1] - signals[index])
        others = np.concatenate([x, played])
        chemical = weights.synapses @ np.maximum(others, 0.0)
        electrical = gap * gap_current(x, others, wiring.gaps)
        return rate * cubic(x, a) + weights.offsets + chemical + electrical

    span = (times[0], times[-1])
    longest = float(np.diff(times).max())
    found = solve_ivp(
        slope, span, start, "LSODA", t_eval=times, rtol=1e-6, atol=1e-8, max_step=longest
    )
    if not found.success:
        raise SimulationError(f"the premotor model could not be integrated: {found.message}")
    return found.y.T
