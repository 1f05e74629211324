"""The one place that turns a GLIF description into NEURON objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.cells.glif import Glif
from pipeline.cells.glif_synapses import Port, check_ports
from pipeline.errors import ConfigError, MechanismError, Problem, SimulationError

MECHANISMS = {"psc": "GlifPsc", "psc_double_alpha": "GlifPsc", "cond": "GlifCond"}
"""Point process of the set ``glif`` for each kind of synapse."""

_SCALARS = (
    "level", "C", "g", "E_L", "V_reset", "t_ref", "th_spike_add", "voltage_reset_fraction",
    "voltage_reset_add", "th_voltage_index",
)  # fmt: skip
_RATES = ("th_spike_decay", "th_voltage_decay")  # not 0 in the mechanism, used or not
_ASC = ("asc_amps", "asc_decay", "asc_r", "asc_init")


class GlifCell:
    """One GLIF cell in NEURON: a point process with its own membrane in a small section.

    Args:
        glif: The cell.
        synapse: psc, psc_double_alpha or cond.
        ports: Receptor ports, counted from 1.
        name: Prefix of the section's name.

    Attributes:
        section: The section that holds the point process; its voltage follows one step later.
        point: The point process: ``i_e`` (nA) is its injected current, ``theta`` (mV) its threshold.

    Raises:
        ConfigError: If a port lacks what the kind of synapse needs.
        MechanismError: If the mechanism set ``glif`` is not loaded.
    """

    def __init__(self, glif: Glif, synapse: str, ports: Sequence[Port], name: str = "glif"):
        from neuron import h

        problems = check_ports(synapse, ports, name)
        if problems:
            raise ConfigError(problems)
        mechanism = MECHANISMS[synapse]
        if not hasattr(h, mechanism):
            hint = "add the set glif to mechanisms"
            raise MechanismError(Problem(name, f"no mechanism {mechanism!r}", hint))
        self.name, self.n_ports = name, len(ports)
        self.section = h.Section(name="soma", cell=self)
        self.section.L = self.section.diam = 1.0
        self.point = getattr(h, mechanism)(self.section(0.5))
        _set_cell(self.point, glif)
        _set_ports(self.point, synapse, ports)

    def __str__(self) -> str:
        return self.name

    @property
    def vm(self) -> Any:
        """Reference of the membrane potential (mV), to record."""
        return self.point._ref_vm

    def spikes(self, target: Any = None) -> Any:
        """Returns a new NetCon that carries the cell's spikes; keep it."""
        from neuron import h

        return h.NetCon(self.point, target)

    def connect(self, source: Any, *, weight: float, delay: float, port: int) -> Any:
        """Connects a source of events to a port.

        Args:
            source: A GlifCell, or anything a NetCon takes as source.
            weight: nA, inhibitory negative (psc, psc_double_alpha); uS (cond).
            delay: ms.
            port: From 1 on.

        Returns:
            The NetCon; keep it.
        """
        from neuron import h

        begin = source.point if isinstance(source, GlifCell) else source
        return self.attach(h.NetCon(begin, self.point), weight=weight, delay=delay, port=port)

    def attach(self, netcon: Any, *, weight: float, delay: float, port: int) -> Any:
        """Sets weight, delay and port of a NetCon that ends at this cell, and returns it.

        Raises:
            SimulationError: If the cell has no such port.
        """
        if not 1 <= port <= self.n_ports:
            hint = f"it has ports 1 to {self.n_ports}"
            raise SimulationError(Problem(self.name, f"no receptor port {port}", hint))
        netcon.delay = delay
        netcon.weight[0], netcon.weight[1] = weight, port
        return netcon


def _set_cell(point: Any, glif: Glif) -> None:
    for name in _SCALARS:
        setattr(point, name, getattr(glif, name))
    for name in _RATES:
        if getattr(glif, name) > 0:
            setattr(point, name, getattr(glif, name))
    point.V_th, point.v0 = glif.threshold, glif.E_L
    point.n_asc = len(glif.asc_amps) if glif.after_spike_currents else 0
    for name in _ASC:
        for index in range(int(point.n_asc)):
            getattr(point, name)[index] = getattr(glif, name)[index]


def _set_ports(point: Any, synapse: str, ports: Sequence[Port]) -> None:
    point.n_port = len(ports)
    for index, port in enumerate(ports):
        point.tau[index] = port.tau
        if synapse == "psc_double_alpha":
            point.tau_slow[index], point.amp_slow[index] = port.tau_slow, port.amp_slow
        elif synapse == "cond":
            point.E_rev[index] = port.E_rev
