"""Receptor ports of GLIF cells: three kinds of synapse, one description for NEURON and NEST."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.cells.glif import Glif
from pipeline.errors import ConfigError, Problem

MAX_PORTS = 12
"""Ports that the NEURON mechanisms have room for; the published cells have 4, the successor's 10."""

NEST_MODELS = {
    "psc": "glif_psc",
    "psc_double_alpha": "glif_psc_double_alpha",
    "cond": "glif_cond",
}
"""NEST model of each kind of synapse."""


@dataclass(frozen=True)
class Port:
    """One receptor port; ports are numbered from 1 in the order they are given.

    Attributes:
        tau: ms. Time to the peak of the alpha function (the fast one of two).
        tau_slow: ms. Time to the peak of the slow part (``psc_double_alpha``).
        amp_slow: Peak of the slow part relative to the fast one (``psc_double_alpha``).
        E_rev: mV. Reversal potential (``cond``).
    """

    tau: float
    tau_slow: float | None = None
    amp_slow: float | None = None
    E_rev: float | None = None


_NEEDED = {"psc": (), "psc_double_alpha": ("tau_slow", "amp_slow"), "cond": ("E_rev",)}


def check_ports(synapse: str, ports: Sequence[Port], where: str) -> list[Problem]:
    """Finds what is wrong with the ports of one cell."""
    if not 1 <= len(ports) <= MAX_PORTS:
        return [Problem(where, f"{len(ports)} ports", f"give 1 to {MAX_PORTS}")]
    problems = []
    for number, port in enumerate(ports, start=1):
        for name in ("tau", *_NEEDED[synapse]):
            value = getattr(port, name)
            positive = name.startswith("tau")
            if value is None or not math.isfinite(value) or (positive and value <= 0):
                found = f"port {number}: {name} is {value}"
                expected = "a number above 0" if positive else "a number"
                problems.append(Problem(where, found, f"synapse {synapse} needs {expected}"))
    return problems


def nest_parameters(glif: Glif, synapse: str, ports: Sequence[Port]) -> dict[str, Any]:
    """Returns all parameters of the NEST model of a cell with its ports.

    Weights of connections to it are in pA (currents) or nS (conductances).

    Raises:
        ConfigError: If a port lacks what the kind of synapse needs.
    """
    problems = check_ports(synapse, ports, "GLIF ports")
    if problems:
        raise ConfigError(problems)
    values = glif.to_nest()
    taus = [port.tau for port in ports]
    if synapse == "psc":
        return values | {"tau_syn": taus}
    if synapse == "psc_double_alpha":
        slow = {
            "tau_syn_slow": [p.tau_slow for p in ports],
            "amp_slow": [p.amp_slow for p in ports],
        }
        return values | {"tau_syn_fast": taus} | slow
    values["g_m"] = values.pop("g")
    return values | {"tau_syn": taus, "E_rev": [port.E_rev for port in ports]}
