"""The one place that turns a GLIF description into NEURON objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.cells.glif import Glif
from pipeline.cells.glif_synapses import Port, check_ports
from pipeline.errors import ConfigError, MechanismError, Problem, SimulationError

MECHANISMS = {"psc": "GlifPsc", "psc_double_alpha": "GlifPsc", "cond": "GlifCond"}
"""Point process of the set ``glif`` for each kind of synapse."""
PRECISE = "GlifPrecise"
"""Point process whose spikes lie off the grid; for synaptic currents only."""
SPIKES_PER_STEP = 8
"""Spikes that it tells of one step (NFIRE)."""

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
        precise: None: spikes lie on the grid. Time step of the run, ms: spikes are exact (psc and
            psc_double_alpha only), and leave the cell ``lag`` ms after they happened.

    Attributes:
        section: The section that holds the point process; its voltage follows one step later.
        point: The point process: ``i_e`` (nA) is its injected current, ``theta`` (mV) its threshold.
        lag: ms. What recorded times are too late and delays must be shorter by: one time step for
            precise spikes, since NEURON sends nothing into the past; else 0.

    Raises:
        ConfigError: If a port lacks what the kind of synapse needs, or the cell cannot be precise.
        MechanismError: If the mechanism set ``glif`` is not loaded.
    """

    def __init__(
        self,
        glif: Glif,
        synapse: str,
        ports: Sequence[Port],
        name: str = "glif",
        precise: float | None = None,
    ):
        from neuron import h

        problems = check_ports(synapse, ports, name)
        if precise is not None:
            problems += _imprecise(glif, synapse, name, precise)
        if problems:
            raise ConfigError(problems)
        self.lag = 0.0 if precise is None else precise
        mechanism = MECHANISMS[synapse] if precise is None else PRECISE
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
            delay: ms, from the spike on.
            port: From 1 on.

        Returns:
            The NetCon; keep it.

        Raises:
            SimulationError: If there is no such port, or the delay is too short for a precise source.
        """
        from neuron import h

        begin = source
        if isinstance(source, GlifCell):
            begin, delay = source.point, shorter(delay, source.lag, source.name)
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


def shorter(delay: float, lag: float, where: str) -> float:
    """Returns the delay of a NetCon from a cell whose spikes leave ``lag`` ms after they happened.

    Raises:
        SimulationError: If less than ``lag`` would be left, the least delay between ranks.
    """
    if lag and delay < 2 * lag - 1e-9:
        message = f"a delay of {delay:g} ms; precise spikes in steps of {lag:g} ms need {2 * lag:g}"
        raise SimulationError(Problem(where, message, "lower dt, or set spike_times: grid"))
    return delay - lag


def _imprecise(glif: Glif, synapse: str, name: str, dt: float) -> list[Problem]:
    """Why a cell cannot have precise spikes."""
    problems = []
    if synapse == "cond":
        hint = "set spike_times: grid; between spikes conductances have no closed form"
        problems.append(Problem(name, "conductance synapses cannot have precise spikes", hint))
    if glif.t_ref * SPIKES_PER_STEP < dt:
        message = (
            f"t_ref {glif.t_ref:g} ms allows more than {SPIKES_PER_STEP} spikes in a time step"
        )
        problems.append(Problem(name, message, f"dt is {dt:g} ms; lower it"))
    return problems


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
