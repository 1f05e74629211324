"""One description of a GLIF cell; Allen and NEST parameter files are read into it.

The equations are those of Teeter et al. 2018 (Nat Commun 9:709), levels 1 to 5; docs/glif.md prints
them with the units and the conversion. No simulator is needed here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, Problem

LEVELS = {1: "LIF", 2: "LIF-R", 3: "LIF-ASC", 4: "LIF-R-ASC", 5: "LIF-R-ASC-A"}
MAX_ASC = 4
"""After-spike currents that the NEURON mechanisms have room for; the published cells have two."""

_SWITCHES = ("spike_dependent_threshold", "after_spike_currents", "adapting_threshold")
_OF_SWITCHES = {
    (False, False, False): 1,
    (True, False, False): 2,
    (False, True, False): 3,
    (True, True, False): 4,
    (True, True, True): 5,
}


@dataclass(frozen=True)
class Glif:
    """A generalised leaky integrate-and-fire cell.

    What a level does not use is kept, so that ``at_level`` can switch it on.

    Attributes:
        level: 1 (LIF) to 5 (reset rule, after-spike currents, adapting threshold).
        C: nF. Membrane capacitance.
        g: uS. Leak conductance.
        E_L: mV. Leak reversal; also where the cell starts.
        threshold: mV, absolute. Threshold at rest (Th_inf + E_L).
        V_reset: mV, absolute. Reset of levels 1 and 3.
        t_ref: ms. Nothing is integrated so long after a spike.
        asc_amps: nA. What each after-spike current gains per spike.
        asc_decay: 1/ms. Rate k of each after-spike current.
        asc_r: Fraction of each after-spike current that survives a spike.
        asc_init: nA. After-spike currents at the start.
        th_spike_add: mV. What the spike component of the threshold gains per spike.
        th_spike_decay: 1/ms. Its rate b_s.
        th_voltage_index: 1/ms. Growth a_v of the voltage component of the threshold.
        th_voltage_decay: 1/ms. Its rate b_v.
        voltage_reset_fraction: f_v of the reset of levels 2, 4 and 5.
        voltage_reset_add: mV. Its offset.
    """

    level: int
    C: float
    g: float
    E_L: float
    threshold: float
    V_reset: float
    t_ref: float
    asc_amps: tuple[float, ...] = ()
    asc_decay: tuple[float, ...] = ()
    asc_r: tuple[float, ...] = ()
    asc_init: tuple[float, ...] = ()
    th_spike_add: float = 0.0
    th_spike_decay: float = 0.0
    th_voltage_index: float = 0.0
    th_voltage_decay: float = 0.0
    voltage_reset_fraction: float = 0.0
    voltage_reset_add: float = 0.0

    @property
    def reset_rule(self) -> bool:
        """Whether a spike moves the threshold and the reset depends on the voltage before it."""
        return self.level in (2, 4, 5)

    @property
    def after_spike_currents(self) -> bool:
        return self.level in (3, 4, 5)

    @property
    def adapting_threshold(self) -> bool:
        return self.level == 5

    @property
    def tau_m(self) -> float:
        """Membrane time constant, ms."""
        return self.C / self.g

    @property
    def rheobase(self) -> float:
        """Least steady current that reaches the threshold at rest, nA (levels 1 to 4)."""
        return self.g * (self.threshold - self.E_L)

    def at_level(self, level: int, where: str = "GLIF cell") -> Glif:
        """Returns the same cell at another level; ``where`` is its file, for messages.

        Raises:
            ConfigError: If the cell lacks what the level needs.
        """
        return checked(replace(self, level=level), where)

    def to_nest(self) -> dict[str, Any]:
        """Returns parameters of ``glif_psc`` and its kin: pF, nS, pA, mV, ms (``glif_cond``: g_m)."""
        switches = (self.reset_rule, self.after_spike_currents, self.adapting_threshold)
        values: dict[str, Any] = dict(zip(_SWITCHES, switches, strict=True))
        values |= {"C_m": self.C * 1e3, "g": self.g * 1e3, "E_L": self.E_L, "V_m": self.E_L}
        values |= {"V_th": self.threshold, "V_reset": self.V_reset, "t_ref": self.t_ref}
        if self.after_spike_currents:
            values |= {
                "asc_amps": [x * 1e3 for x in self.asc_amps],
                "asc_decay": list(self.asc_decay),
                "asc_r": list(self.asc_r),
                "asc_init": [x * 1e3 for x in self.asc_init],
            }
        names = ("th_spike_add", "th_spike_decay", "voltage_reset_fraction", "voltage_reset_add")
        names = names if self.reset_rule else ()
        names += ("th_voltage_index", "th_voltage_decay") if self.adapting_threshold else ()
        return values | {name: getattr(self, name) for name in names}


def from_allen(data: Mapping[str, Any], where: str = "Allen parameters") -> Glif:
    """Reads the parameters of the Allen Cell Types Database (SI units, relative to El_reference).

    Args:
        data: Content of a ``*_neuron_config.json``.
        where: File, for messages.

    Raises:
        ConfigError: For missing or unusable keys, all of them at once.
    """
    take = _Taker(data, where)
    reference = take("El_reference", default=0.0) * 1e3
    reset, dynamics = take.method("voltage_reset_method"), take.method("threshold_dynamics_method")
    spike, voltage = take.params("threshold_dynamics_method"), take.params("voltage_reset_method")
    amps = take.row("asc_amp_array", default=())
    scale = take.row("coeffs.asc_amp_array", size=len(amps), default=1.0)
    tau = take.row("asc_tau_array", size=len(amps))
    start = take.row("init_AScurrents", size=len(amps), default=0.0)
    kept = take.row("AScurrent_reset_method.params.r", size=len(amps), default=1.0)
    switches = (
        reset == "v_before",
        take.method("AScurrent_dynamics_method") == "exp",
        dynamics in ("three_components", "three_components_exact"),
    )
    resistance = take("R_input", positive=True)
    cell = {
        "level": take.level(switches),
        "C": take("C", positive=True) * take("coeffs.C", default=1.0) * 1e9,
        "g": take("coeffs.G", default=1.0) / resistance * 1e6,
        "E_L": take("El", default=0.0) * 1e3 + reference,
        # init_threshold stands in files without th_inf; in all others the two are equal.
        "threshold": take("th_inf", "init_threshold") * take("coeffs.th_inf", default=1.0) * 1e3
        + reference,
        "V_reset": reference,
        "t_ref": take("spike_cut_length") * take("dt", positive=True) * 1e3,
        "asc_amps": tuple(a * c * 1e9 for a, c in zip(amps, scale, strict=True)),
        "asc_decay": tuple(1e-3 / t if t > 0 else math.nan for t in tau),
        "asc_r": tuple(kept),
        "asc_init": tuple(a * 1e9 for a in start),
        "th_spike_add": spike("a_spike") * 1e3,
        "th_spike_decay": spike("b_spike") * 1e-3,
        "th_voltage_index": spike("a_voltage") * take("coeffs.a", default=1.0) * 1e-3,
        "th_voltage_decay": spike("b_voltage") * take("coeffs.b", default=1.0) * 1e-3,
        "voltage_reset_fraction": voltage("a"),
        "voltage_reset_add": voltage("b") * 1e3,
    }
    return take.finish(cell)


def from_nest(data: Mapping[str, Any], where: str = "NEST parameters") -> Glif:
    """Reads parameters of NEST's ``glif_psc``, ``glif_psc_double_alpha`` or ``glif_cond``.

    Names of the older module are understood too: ``k``, ``a_spike``, ``b_spike``, ``a_voltage``,
    ``b_voltage``, ``a_reset``, ``b_reset``, ``init_AScurrents`` (pA). Synapses are not part of a
    cell: ports come from the config.

    Raises:
        ConfigError: For missing or unusable keys, all of them at once.
    """
    take = _Taker(data, where)
    amps = take.row("asc_amps", default=())
    decay = take.row("asc_decay", "k", size=len(amps))
    switches = tuple(take.flag(name) for name in _SWITCHES)
    e_l = take("E_L")
    cell = {
        "level": take.level(switches),
        "C": take("C_m", positive=True) * 1e-3,
        "g": take("g", "g_m", "G", positive=True) * 1e-3,
        "E_L": e_l,
        "threshold": take("V_th"),
        "V_reset": take("V_reset", default=e_l),
        "t_ref": take("t_ref"),
        "asc_amps": tuple(a * 1e-3 for a in amps),
        "asc_decay": tuple(decay),
        "asc_r": tuple(take.row("asc_r", "r", size=len(amps), default=1.0)),
        "asc_init": tuple(
            a * 1e-3 for a in take.row("asc_init", "init_AScurrents", size=len(amps), default=0.0)
        ),
        "th_spike_add": take("th_spike_add", "a_spike", default=0.0),
        "th_spike_decay": take("th_spike_decay", "b_spike", default=0.0),
        "th_voltage_index": take("th_voltage_index", "a_voltage", default=0.0),
        "th_voltage_decay": take("th_voltage_decay", "b_voltage", default=0.0),
        "voltage_reset_fraction": take("voltage_reset_fraction", "a_reset", default=0.0),
        "voltage_reset_add": take("voltage_reset_add", "b_reset", default=0.0),
    }
    return take.finish(cell)


def read_glif(path: str | Path) -> Glif:
    """Reads a parameter file of the Allen Cell Types Database or of NEST; its keys say which.

    Raises:
        ConfigError: If it cannot be read or is neither, or lacks keys.
    """
    where = str(path)
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            Problem(where, f"cannot read: {error.strerror}", "check the path")
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(Problem(where, f"not JSON: {error}", "download it anew")) from None
    if isinstance(data, dict):
        if "R_input" in data or "spike_cut_length" in data:
            return from_allen(data, where)
        if "C_m" in data or "V_th" in data:
            return from_nest(data, where)
    hint = "expected R_input and spike_cut_length (Allen) or C_m and V_th (NEST)"
    raise ConfigError(Problem(where, "neither an Allen nor a NEST parameter file of a GLIF", hint))


def checked(cell: Glif, where: str) -> Glif:
    """Returns the cell if it can be run.

    Raises:
        ConfigError: With everything that is wrong with it.
    """
    problems = [Problem(where, message, hint) for message, hint in _faults(cell)]
    if problems:
        raise ConfigError(problems)
    return cell


def _faults(cell: Glif) -> list[tuple[str, str]]:
    if cell.level not in LEVELS:
        return [(f"level is {cell.level!r}", "write 1, 2, 3, 4 or 5")]
    faults = []
    for field in fields(cell):
        values = getattr(cell, field.name)
        values = values if isinstance(values, tuple) else (values,)
        if not all(math.isfinite(value) for value in values):
            faults.append((f"{field.name} is {values}", "write finite numbers"))
    positive = ["C", "g", "t_ref"]
    positive += ["th_spike_decay"] if cell.reset_rule else []
    positive += ["th_voltage_decay"] if cell.adapting_threshold else []
    for name in positive:
        if not getattr(cell, name) > 0:
            message = f"{name} is {getattr(cell, name):g}"
            faults.append((message, f"level {cell.level} needs a value above 0"))
    if not cell.V_reset < cell.threshold:
        message = f"reset at {cell.V_reset:g} mV, threshold at {cell.threshold:g} mV"
        faults.append((message, "the reset must lie below the threshold"))
    if cell.reset_rule and not 0 <= cell.voltage_reset_fraction <= 1:
        message = f"voltage_reset_fraction is {cell.voltage_reset_fraction:g}"
        faults.append((message, "write 0 to 1"))
    if cell.after_spike_currents:
        sizes = {len(x) for x in (cell.asc_amps, cell.asc_decay, cell.asc_r, cell.asc_init)}
        if len(sizes) > 1 or not 1 <= max(sizes) <= MAX_ASC:
            message = f"after-spike currents have {sorted(sizes)} values"
            faults.append((message, f"give 1 to {MAX_ASC} amplitudes and as many rates"))
        if not all(k > 0 for k in cell.asc_decay):
            faults.append((f"asc_decay is {cell.asc_decay}", "rates must be above 0"))
        if not all(0 <= r <= 1 for r in cell.asc_r):
            faults.append((f"asc_r is {cell.asc_r}", "write 0 to 1"))
    return faults


class _Taker:
    """Takes numbers out of a parameter file and remembers what was wrong."""

    def __init__(self, data: Mapping[str, Any], where: str):
        self.data, self.where = data, where
        self.problems: list[Problem] = []

    def __call__(self, *names: str, default: float | None = None, positive: bool = False) -> float:
        for name in names:
            value = self._find(name)
            if value is None:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or (positive and value <= 0):
                expected = "a number above 0" if positive else "a finite number"
                self.complain(name, f"{value!r}", f"expected {expected}")
                return math.nan
            return float(value)
        if default is None:
            self.complain(names[0], "missing", "is the file complete?")
            return math.nan
        return default

    def row(self, *names: str, size: int | None = None, default: Any = None) -> list[float]:
        """Returns a list of numbers; a number as default is repeated ``size`` times."""
        for name in names:
            value = self._find(name)
            if value is None:
                continue
            good = isinstance(value, list | tuple) and all(
                isinstance(x, int | float) and math.isfinite(x) for x in value
            )
            if not good or (size is not None and len(value) != size):
                count = "finite numbers" if size is None else f"{size} finite numbers"
                self.complain(name, f"{value!r}", f"expected a list of {count}")
                return [math.nan] * (size or 0)
            return [float(x) for x in value]
        if default is None and size != 0:
            self.complain(names[0], "missing", "is the file complete?")
            return [math.nan] * (size or 0)
        return [default] * size if isinstance(default, float) and size else []

    def method(self, name: str) -> str:
        found = self._find(f"{name}.name")
        if not isinstance(found, str):
            self.complain(f"{name}.name", "missing", "expected the name of a rule")
        return str(found)

    def params(self, name: str):
        """Returns a function that takes a parameter of a rule, 0 where the rule has none."""
        return lambda key: self(f"{name}.params.{key}", default=0.0)

    def flag(self, name: str) -> bool:
        value = self._find(name)
        if value not in (True, False, None):
            self.complain(name, repr(value), "expected true or false")
        return bool(value)

    def level(self, switches: tuple[bool, ...]) -> int:
        level = _OF_SWITCHES.get(tuple(switches))
        if level is None:
            found = ", ".join(f"{k} {v}" for k, v in zip(_SWITCHES, switches, strict=True))
            hint = "levels 1 to 5 have: none, the first, the second, the first two, all"
            self.problems.append(Problem(self.where, f"no GLIF level has {found}", hint))
        return level or 1

    def finish(self, cell: dict[str, Any]) -> Glif:
        if self.problems:
            raise ConfigError(self.problems)
        return checked(Glif(**cell), self.where)

    def complain(self, key: str, found: str, hint: str) -> None:
        self.problems.append(Problem(self.where, f"{key}: {found}", hint))

    def _find(self, name: str) -> Any:
        value: Any = self.data
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
