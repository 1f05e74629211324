"""What a synapse carries: a class by rules, and values drawn once per connection.

Laws as published (Markram et al. 2015; Reimann et al. 2022 recipes): conductance, D and F from gamma
distributions of given mean and sd, U and decay time from a normal drawn again until positive and
within one sd, N_rrp from a Poisson number, delay from path length. Draws are keyed by (seed, source,
target, purpose, attempt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.touches import CLASS_COLUMNS, SYNAPSE_COLUMNS, Physiology
from pipeline.edges.rules.random import normal, uniforms
from pipeline.edges.touch.arrays import Cells
from pipeline.edges.touch.pruning import connection_starts
from pipeline.edges.touch.tables import RuleTable, Types, raise_all
from pipeline.kernels import inner, kernel

G, U, D, F, DECAY, VESICLES = range(6)
VALUES = (
    "conductance", "u_syn", "depression_time", "facilitation_time", "decay_time", "n_rrp_vesicles",
)  # fmt: skip
"""Edge attributes in the order of the codes above."""
_COLUMNS = ("g", "U", "D", "F", "decay", "n_rrp")
_PURPOSES = 31
"""Purpose of the first value; the others follow."""
_TRIES = 4096
FIRST_EXCITATORY = 100
"""``syn_type_id`` of the first excitatory class, as neurodamus expects."""
TEMPLATES = ("AmpaNmdaRelease", "GabaABRelease")
"""Mechanisms (set ``release``) of excitatory and inhibitory synapses."""


@dataclass(frozen=True)
class Synapses:
    """Compiled synapse rules.

    Attributes:
        names: Names of the classes.
        type_ids: uint32 [classes], ``syn_type_id``.
        mean: float64 [classes, 6], in the order of ``VALUES`` (nS, -, ms, ms, ms, -).
        sd: float64 [classes, 6]; unused for vesicles.
        me: int64 [cells]. Code of the (m-type, e-type) of each cell.
        code: int16 [me, me] (pre, post). Class.
        rule: int32 [me, me]. Line of the rule that chose it.
        scale: float32 [me, me]. NMDA or GABA-B ratio.
        hill: float32 [me, me]. Calcium of half release, mM.
        delay: Offset, ms, and velocity, um/ms.
    """

    names: tuple[str, ...]
    type_ids: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    me: np.ndarray
    code: np.ndarray
    rule: np.ndarray
    scale: np.ndarray
    hill: np.ndarray
    delay: tuple[float, float]

    def edge_types(self) -> pd.DataFrame:
        """One row per class: the edge types table."""
        excitatory = self.type_ids >= FIRST_EXCITATORY
        return pd.DataFrame(
            {
                "edge_type_id": np.arange(len(self.names)),
                "model_template": np.where(excitatory, *TEMPLATES),
                "synapse_class": self.names,
                "syn_type_id": self.type_ids,
                "synapse_sign": np.where(excitatory, "excitatory", "inhibitory"),
            }
        )


def compile_synapses(
    classes: Path, rules: Path, config: Physiology, cells: Cells, types: Types
) -> Synapses:
    """Reads both tables and finds the class of every pair of me-types.

    Raises:
        ConfigError: With all problems of both tables.
    """
    kinds, table = RuleTable.read(classes, CLASS_COLUMNS), RuleTable.read(rules, SYNAPSE_COLUMNS)
    names = kinds.frame["class"].tolist()
    means, sds = _class_values(kinds, names)
    table.choices("synapse_class", {"", *names})
    for side in ("pre", "post"):
        table.choices(f"{side}_class", ("", "EXC", "INH"))
        table.patterns((f"{side}_mtype",), types)
    table.sources()
    scale, hill = table.numbers("scale_factor"), table.numbers("hill")
    pairs = np.stack([cells.mtype, cells.etype], axis=1).astype(np.int64)
    present, me = np.unique(pairs, axis=0, return_inverse=True)
    shape = (len(present),) * 2
    code, line = np.full(shape, -1, np.int16), np.zeros(shape, np.int32)
    factors = {"scale_factor": np.full(shape, np.nan), "hill": np.full(shape, np.nan)}
    for row, rule in enumerate(table.frame.to_dict("records")):
        at = np.ix_(*(_matching(rule, side, present, types) for side in ("pre", "post")))
        if rule["synapse_class"] in names:
            code[at], line[at] = names.index(rule["synapse_class"]), row + 2
        for name, values in (("scale_factor", scale), ("hill", hill)):
            if not np.isnan(values[row]):
                factors[name][at] = values[row]
    _check_complete(table, {"synapse_class": code < 0}, factors, present, types)
    _check_signs(table, names, code, present, types)
    raise_all(kinds, table)
    return Synapses(
        tuple(names), _type_ids(names), means, sds, me.reshape(-1).astype(np.int64), code, line,
        factors["scale_factor"].astype(np.float32), factors["hill"].astype(np.float32),
        (config.delay.offset, config.delay.velocity),
    )  # fmt: skip


def _class_values(kinds: RuleTable, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    kinds.sources()
    for row, name in enumerate(names):
        if not name.startswith(("E", "I")):
            kinds.add(row, f"class {name!r} starts with neither E nor I", "rename it")
        if name in names[:row]:
            kinds.add(row, f"class {name!r} stands twice", "rename one")
    means, sds = np.zeros((len(names), 6)), np.zeros((len(names), 6))
    for index, name in enumerate(_COLUMNS):
        means[:, index] = kinds.numbers(name, needed=True)
        if name != "n_rrp":
            sds[:, index] = kinds.numbers(f"{name}_sd", needed=True)
    for row in np.flatnonzero((means[:, :VESICLES] <= 0).any(axis=1)):
        kinds.add(row, "g, U, D, F and decay must be above 0")
    for row in np.flatnonzero((means[:, VESICLES] < 1) | (means[:, VESICLES] > 500)):
        kinds.add(row, f"n_rrp is {means[row, VESICLES]:g}; expected 1 to 500")
    return means, sds


def _type_ids(names: list[str]) -> np.ndarray:
    found, seen = [], {"E": 0, "I": 0}
    for name in names:
        sign = "E" if name.startswith("E") else "I"
        found.append(seen[sign] + (FIRST_EXCITATORY if sign == "E" else 0))
        seen[sign] += 1
    return np.array(found, np.uint32)


def _matching(rule: dict, side: str, present: np.ndarray, types: Types) -> np.ndarray:
    """Which me-types one side of a rule means: bool [me]."""
    mtypes = types.of_class(rule[f"{side}_class"]) & types.matching(rule[f"{side}_mtype"])
    etype = rule[f"{side}_etype"] or "*"
    etypes = np.array([fnmatchcase(name, etype) for name in types.etypes], bool)
    return mtypes[present[:, 0]] & etypes[present[:, 1]]


def _check_complete(table, missing: dict, factors: dict, present: np.ndarray, types: Types) -> None:
    missing = missing | {name: np.isnan(values) for name, values in factors.items()}
    for name, where in missing.items():
        if where.any():
            pair = " to ".join(
                f"{types.mtypes[present[i, 0]]} {types.etypes[present[i, 1]]}"
                for i in np.argwhere(where)[0]
            )
            table.add(-1, f"{name} of {int(where.sum())} pairs of me-types is given by no rule, "
                      f"such as {pair}", "start with rules for EXC and INH")  # fmt: skip


def _check_signs(table, names: list, code: np.ndarray, present: np.ndarray, types: Types) -> None:
    excitatory = np.array([name.startswith("E") for name in names] + [False])
    inhibitory = types.inhibitory[present[:, 0]][:, None]
    wrong = np.argwhere((code >= 0) & (excitatory[code] == inhibitory))
    if len(wrong):
        pre = types.mtypes[present[wrong[0][0], 0]]
        name = names[code[tuple(wrong[0])]]
        table.add(-1, f"{pre} gets synapses of class {name}, which has the other sign",
                  "check the order of the rules")  # fmt: skip


@inner()
def _gamma(mean, sd, key, a, b, purpose):
    """Gamma number of given mean and sd (Marsaglia and Tsang 2000), keyed by attempt."""
    if sd <= 0.0:
        return mean
    shape, scale = (mean / sd) ** 2, sd * sd / mean
    boost = 1.0
    if shape < 1.0:
        u = uniforms(key, a, b, purpose, 0)[0]
        boost = (1.0 - u) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    for attempt in range(_TRIES):
        x = normal(key, a, b, purpose, 2 * attempt + 1)
        v = (1.0 + c * x) ** 3
        if v <= 0.0:
            continue
        u = 1.0 - uniforms(key, a, b, purpose, 2 * attempt + 2)[0]
        if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return d * v * boost * scale
    return mean


@inner()
def _near(mean, sd, key, a, b, purpose):
    """Normal number drawn again until positive and within one sd of the mean."""
    for attempt in range(_TRIES):
        x = mean + sd * normal(key, a, b, purpose, attempt)
        if x > 0.0 and abs(x - mean) <= sd:
            return x
    return mean


@inner()
def _vesicles(mean, key, a, b, purpose):
    """One plus a Poisson number, so that none is 0 and the mean holds."""
    rest = mean - 1.0
    u = uniforms(key, a, b, purpose, 0)[0]
    k, p = 0, math.exp(-rest)
    total = p
    while u >= total and k < 2000:
        k += 1
        p *= rest / k
        total += p
    return 1.0 + k


@kernel()
def draw_values(mean, sd, key, a, b, out):
    """Draws the six values of one connection.

    Args:
        mean: float64 [6], see ``Synapses``.
        sd: float64 [6].
        key: uint64 [2].
        a: Source id.
        b: Target id.
        out: float64 [6], result.
    """
    for what in (G, D, F):
        out[what] = _gamma(mean[what], sd[what], key, a, b, _PURPOSES + what)
    for what in (U, DECAY):
        out[what] = _near(mean[what], sd[what], key, a, b, _PURPOSES + what)
    out[VESICLES] = _vesicles(mean[VESICLES], key, a, b, _PURPOSES + VESICLES)


@kernel()
def _draw_all(pre, post, starts, me, code, mean, sd, key, values, kinds):
    for c in range(len(starts) - 1):
        low = starts[c]
        a, b = pre[low], post[low]
        kind = code[me[a], me[b]]
        drawn = np.empty(6)
        draw_values(mean[kind], sd[kind], key, a, b, drawn)
        for t in range(low, starts[c + 1]):
            kinds[t] = kind
            for what in range(6):
                values[what, t] = drawn[what]


def synapse_columns(
    synapses: Synapses, touches: np.ndarray, key: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Draws the physiology of kept touches.

    Args:
        synapses: Compiled rules.
        touches: TOUCH [n]; touches of a connection stand together.
        key: uint64 [2].

    Returns:
        int64 [n] class, and the edge attributes (conductance in nS; ms; um).
    """
    pre, post = (np.ascontiguousarray(touches[side]) for side in ("pre", "post"))
    values = np.empty((6, len(pre)), np.float32)
    kinds = np.empty(len(pre), np.int64)
    _draw_all(
        pre, post, connection_starts(pre, post), synapses.me, synapses.code, synapses.mean,
        synapses.sd, key, values, kinds,
    )  # fmt: skip
    pair = (synapses.me[pre], synapses.me[post])
    offset, velocity = synapses.delay
    columns = dict(zip(VALUES, values, strict=True))
    columns["n_rrp_vesicles"] = columns["n_rrp_vesicles"].astype(np.uint32)
    return kinds, columns | {
        "delay": (offset + touches["path"] / velocity).astype(np.float32),
        "syn_type_id": synapses.type_ids[kinds],
        "conductance_scale_factor": synapses.scale[pair],
        "u_hill_coefficient": synapses.hill[pair],
        "spine_length": np.maximum(touches["distance"], 0.0).astype(np.float32),
    }
