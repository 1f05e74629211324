"""The channels of the mechanism set ``worm`` as products of gates, and their tables from NEURON.

A channel's open share is a product of factors, each a weighted sum of gates to a power. Steady states and
time constants are asked of the compiled mechanisms, voltage by voltage, so that no formula stands twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

VOLTAGES = np.arange(-160.0, 120.25, 0.25)
"""Grid of the tables, mV; beyond it the gates keep the value at its end."""


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes:
        steady, tau: Names of its steady state and time constant in the mechanism.
        weight: Within its factor.
        start: Value at the start of a run; None: the steady state.
    """

    steady: str
    tau: str
    weight: float = 1.0
    start: float | None = None


@dataclass(frozen=True)
class Factor:
    """(sum of weight x gate) ^ power."""

    gates: tuple[Gate, ...]
    power: int = 1


def worm_channels() -> dict[str, tuple[Factor, ...]]:
    """Returns the factors of every channel; those without depend on the calcium pool's rest or nothing.

    kcnl follows the calcium pool, which hardly leaves its rest, and is held at its start. The gate m of
    slo1 and slo2 also depends on their private m_cav, which is fast; here m_cav is at its steady state.
    """
    m, h = Gate("minf", "taum"), Gate("hinf", "tauh")
    once = (Factor((m,)),)
    both = (Factor((m,)), Factor((h,)))
    slo = (Factor((m,)), Factor((Gate("hcavinf", "tauhcav"),)))
    mixed = Gate("hinf", "tauhfast", 0.7), Gate("hinf", "tauhslow", 0.3)
    egl36 = tuple(
        Gate("minf", tau, weight)
        for tau, weight in (("taufast", 0.33), ("taumid", 0.36), ("tauslow", 0.39))
    )
    kqt3 = Gate("minf", "taumfast", 0.3, 0.0), Gate("minf", "taumslow", 0.7, 0.0)
    return {
        "shl1": (Factor((m,), 3), Factor(mixed)),
        "shk1": both,
        "kvs1": both,
        "egl2": once,
        "egl36": (Factor(egl36),),
        "kqt3": (Factor(kqt3), Factor((Gate("winf", "tauw"),)), Factor((Gate("sinf", "taus"),))),
        "irk": once,
        "egl19": both,
        "unc2": both,
        "cca1": (Factor((m,), 2), Factor((h,))),
        **dict.fromkeys(("slo1_egl19", "slo1_unc2", "slo2_egl19", "slo2_unc2"), slo),
        "nca": (),
        "kcnl": (),
    }


def tabulate(h: Any, names: list[str]) -> dict[str, np.ndarray]:
    """Asks NEURON for steady states and time constants of gates at every voltage of the grid.

    Args:
        h: NEURON's interpreter with the mechanisms loaded.
        names: Channels.

    Returns:
        ``<channel>.<quantity>`` to float64 [voltages]; kcnl.m is a single number.
    """
    probe = h.Section(name="probe")
    for name in [*names, "cadyn"]:
        probe.insert(name)
    wanted = {
        (name, quantity)
        for name in names
        for factor in worm_channels()[name]
        for gate in factor.gates
        for quantity in (gate.steady, gate.tau)
    }
    tables = {f"{name}.{quantity}": np.empty(len(VOLTAGES)) for name, quantity in wanted}
    for row, voltage in enumerate(VOLTAGES):
        h.finitialize(float(voltage))
        for name, quantity in wanted:
            tables[f"{name}.{quantity}"][row] = _value(h, probe(0.5), name, quantity)
    if "kcnl" in names:
        h.finitialize(-65.0)
        tables["kcnl.m"] = np.array([probe(0.5).kcnl.m])
    return tables


def reversal(h: Any, segment: Any, name: str) -> float:
    """Returns a channel's reversal potential in a compartment, mV."""
    return float(_value(h, segment, name, "ek" if name == "kqt3" else "erev"))


def _value(h: Any, segment: Any, name: str, quantity: str) -> float:
    mechanism = getattr(segment, name)
    if hasattr(mechanism, quantity):
        return getattr(mechanism, quantity)
    return getattr(h, f"{quantity}_{name}")
