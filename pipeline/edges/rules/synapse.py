"""Synapses of an edge: number, weight and delay by class pair, and the edge type columns."""

from __future__ import annotations

import math
from typing import NamedTuple, get_args

import numpy as np
from numba import prange

from pipeline.config import rules as schema
from pipeline.config.yaml_lines import KeyPath
from pipeline.edges.rules.chain import fold
from pipeline.edges.rules.laws import METRICS, angle_between, distance
from pipeline.edges.rules.random import DELAY, NSYNS, WEIGHT, normal, uniforms
from pipeline.edges.rules.tables import PairValues
from pipeline.kernels import kernel

CONSTANT, UNIFORM_INTEGER, POISSON, LOGNORMAL, NORMAL, TRAVEL, LISTED = range(7)
_CODES = {
    "constant": CONSTANT, "uniform_integer": UNIFORM_INTEGER, "poisson": POISSON,
    "lognormal": LOGNORMAL, "normal": NORMAL, "distance": TRAVEL,
}  # fmt: skip
_TRIES = 1000


class Draws(NamedTuple):
    """What the kernel needs to know about nsyns, weight and delay, in this order.

    Attributes:
        codes: int64 [3]. Law of each.
        params: float64 [3, source classes, target classes, 4]. CONSTANT value; UNIFORM_INTEGER low,
            high; POISSON mean, plus; LOGNORMAL mu, sigma of the logarithm; NORMAL mean, sd, low,
            high; TRAVEL offset, velocity (um/ms), metric.
        direction: float64 [source classes, target classes, 2]. Width (deg; 0: none) and phase (1).
        degrees: float64 [2]. Degrees of visual field per um along both lateral axes.
        min_delay: Smallest delay, ms.
    """

    codes: np.ndarray
    params: np.ndarray
    direction: np.ndarray
    degrees: np.ndarray
    min_delay: float


class SynapseLaw(NamedTuple):
    """Synapse law of one rule.

    Attributes:
        draws: For the kernel.
        varies: Name (nsyns, syn_weight, delay) to whether it differs within a class pair.
        columns: Edge type column to objects [source classes, target classes].
        edge_types: int64 [source classes, target classes]. Type ids from 0; -1 where unconnected.
        kinds: str [source classes, target classes]. What the weight is: ``weight_kind``.
    """

    draws: Draws
    varies: dict[str, bool]
    columns: dict[str, np.ndarray]
    edge_types: np.ndarray
    kinds: np.ndarray


def compile_synapse(
    config: schema.Synapse, path: KeyPath, values: PairValues, amplitude: np.ndarray
) -> SynapseLaw:
    """Compiles the synapse law of a rule; problems go to ``values.findings``.

    Args:
        config: The law.
        path: Its key path.
        values: Classes of the rule.
        amplitude: float64 [source classes, target classes]. 0 where nothing connects.
    """
    connected = (amplitude > 0) & (values.source.counts()[:, None] > 0)
    connected &= values.target.counts()[None, :] > 0
    parts = [(config.nsyns, "nsyns"), (config.weight, "weight"), (config.delay, "delay")]
    params = np.zeros((3, *values.shape, 4))
    for k, (law, name) in enumerate(parts):
        for p, matrix in enumerate(_params(law, (*path, name), values, connected)):
            params[k, :, :, p] = matrix
    direction = np.zeros((*values.shape, 2))
    degrees = np.zeros(2)
    if config.direction:
        at = (*path, "direction")
        direction[:, :, 0] = np.nan_to_num(
            values.numbers(config.direction.width, (*at, "width"), 0)
        )
        direction[:, :, 1] = np.nan_to_num(values.numbers(config.direction.phase, (*at, "phase")))
        degrees = np.array(config.direction.degrees_per_um)
    codes = np.array([_CODES[law.law] for law, _ in parts], np.int64)
    draws = Draws(codes, params, direction, degrees, config.min_delay or 0.0)
    varies = dict(zip(("nsyns", "syn_weight", "delay"), (codes != CONSTANT).tolist(), strict=True))
    varies["syn_weight"] |= config.direction is not None
    types = np.where(connected, np.cumsum(connected).reshape(values.shape) - 1, -1)
    kinds = _kinds(config, path, values, connected)
    return SynapseLaw(draws, varies, _columns(config, path, values), types, kinds)


def _kinds(config, path: KeyPath, values: PairValues, connected: np.ndarray) -> np.ndarray:
    """The kinds of weights; a table's words are free text to the schema."""
    at, known = (*path, "weight_kind"), get_args(schema.WeightKind)
    kinds = values.texts(config.weight_kind, at)
    for word in sorted({str(kind or "nothing") for kind in kinds[connected]} - set(known)):
        values.findings.add(at, f"{word!r} is no kind of weight", f"one of {', '.join(known)}")
    return kinds


def _params(law, path: KeyPath, values: PairValues, connected: np.ndarray) -> list:
    def get(name: str, low: float = -np.inf, *, open_low: bool = False) -> np.ndarray:
        value = getattr(law, name)
        matrix = values.numbers(value, (*path, name), low, open_low=open_low)
        missing = np.argwhere(np.isnan(matrix) & connected)
        if len(missing):
            i, j = missing[0]
            pair = f"{values.source.name(i)} to {values.target.name(j)}"
            message = f"no value for {pair} ({len(missing)} pairs of classes)"
            values.findings.add((*path, name), message, "add them, or give a default")
        return np.nan_to_num(matrix)

    least = -np.inf if path[-1] == "weight" else 0.0
    if isinstance(law, schema.ConstantValue):
        return [get("value", least)]
    if isinstance(law, schema.UniformInteger):
        return [law.low, law.high]
    if isinstance(law, schema.PoissonValue):
        mean = get("mean", 0.0)
        if (mean > 500).any():
            values.findings.add((*path, "mean"), f"{mean.max():g} is above 500")
        return [mean, law.plus]
    if isinstance(law, schema.LognormalValue):
        # The sign stays outside, so that inhibitory currents can be log-normal too.
        mean, sd = get("mean"), get("sd", 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = np.where(mean != 0, np.log1p((sd / mean) ** 2), 0.0)
            mu = np.where(mean != 0, np.log(np.abs(mean)) - variance / 2, -np.inf)
        return [mu, np.sqrt(np.nan_to_num(variance)), np.sign(mean)]
    if isinstance(law, schema.DistanceDelay):
        return [get("offset", 0.0), law.velocity, METRICS[law.metric]]
    parts = [get("mean"), get("sd", 0.0), get("low"), get("high")]
    if (connected & (parts[2] > parts[3])).any():
        values.findings.add(path, "low is above high", "no value is in between")
    return parts


def _columns(config: schema.Synapse, path: KeyPath, values: PairValues) -> dict[str, np.ndarray]:
    columns = {}
    for name, value in config.columns.items():
        columns[name] = values.texts(value, (*path, "columns", name))
    if config.sections is not None:
        sections = values.texts(config.sections, (*path, "sections"))
        # The list form is the one BMTK reads.
        columns["target_sections"] = np.vectorize(_section_list, otypes=[object])(sections)
    ends = [config.distance_min, config.distance_max]
    if any(end is not None for end in ends):
        low, high = (
            values.numbers(fill if end is None else end, (*path, f"distance_{name}"), 0.0)
            for end, name, fill in zip(ends, ("min", "max"), (0.0, 1e20), strict=True)
        )
        low, high = np.where(np.isnan(low), 0.0, low), np.where(np.isnan(high), 1e20, high)
        for i, j in np.argwhere(low >= high)[:1]:
            pair = f"{values.source.name(i)} to {values.target.name(j)}"
            message = f"synapses of {pair} lie between {low[i, j]:g} and {high[i, j]:g} um"
            key = "distance_min" if config.distance_min is not None else "distance_max"
            values.findings.add((*path, key), message, "make distance_max the larger one")
        both = [f"[{a:g}, {b:g}]" for a, b in zip(low.flat, high.flat, strict=True)]
        columns["distance_range"] = np.array(both, object).reshape(low.shape)
    return columns


def _section_list(text: str | None) -> str | None:
    return None if text is None else str([part.strip() for part in str(text).split("+")])


@kernel()
def _poisson(mean, u):
    """Poisson number by inversion of one uniform; mean at most 500."""
    k, p = 0, math.exp(-mean)
    total = p
    while u >= total and k < 2000:
        k += 1
        p *= mean / k
        total += p
    return k


@kernel()
def _draw(draws, what, cs, ct, key, source, target, repeat, dx, dy, dz):
    """One value of nsyns (what = 0), weight (1) or delay (2)."""
    code, p = draws.codes[what], draws.params
    p0, p1 = p[what, cs, ct, 0], p[what, cs, ct, 1]
    if code == CONSTANT:
        return p0
    if code == TRAVEL:
        return p0 + distance(int(p[what, cs, ct, 2]), dx, dy, dz) / p1
    first, purpose = repeat << 12, (NSYNS, WEIGHT, DELAY)[what]
    if code == UNIFORM_INTEGER:
        u = uniforms(key, source, target, purpose, first)[0]
        return p0 + math.floor(u * (p1 - p0 + 1.0))
    if code == POISSON:
        return _poisson(p0, uniforms(key, source, target, purpose, first)[0]) + p1
    if code == LOGNORMAL:
        if p[what, cs, ct, 2] == 0.0:
            return 0.0
        z = normal(key, source, target, purpose, first)
        return p[what, cs, ct, 2] * math.exp(p0 + p1 * z)
    low, high = p[what, cs, ct, 2], p[what, cs, ct, 3]
    value = p0
    for attempt in range(_TRIES):
        value = p0 + p1 * normal(key, source, target, purpose, first + attempt)
        if low <= value <= high:
            return value
    return min(max(value, low), high)


@kernel()
def direction_factor(width, phase, degrees, dx, dz, source_angle, target_angle):
    """Weight factor of the direction rule (Billeh et al. 2020, as applied at load time).

    Args:
        width: Degrees; 0 for none.
        phase: 1 for the retinotopic phase factor.
        degrees: float64 [2]. Degrees of visual field per um.
        dx: Lateral offset target minus source, um; ``dz`` the other one.
        dz: See ``dx``.
        source_angle: Tuning angle, degrees.
        target_angle: Tuning angle, degrees.
    """
    if width == 0.0:
        return 1.0
    r = angle_between(source_angle, target_angle) / width
    factor = math.exp(-r * r)
    if phase == 1.0:
        radians = math.radians(target_angle)
        u = degrees[0] * dx * math.cos(radians) + degrees[1] * dz * math.sin(radians)
        # Folded to 0..180 first: 90 degrees is the axis farthest from horizontal.
        folded = fold(angle_between(target_angle, 0.0), 90.0)
        factor *= math.exp(-u * u / 2.0) * (5.5 / 4.0 - 11.0 / 1680.0 * folded)
    return factor


@kernel(parallel=True)
def fill_edges(
    draws, key, rule, n_rules, keys, ends, low, pre, post, source_codes, target_codes,
    edge_types, listed, first_row, out_type, out_nsyns, out_weight, out_delay, out_distance,
):  # fmt: skip
    """Writes the values of one rule's edges in a block; other rules' edges are left alone.

    Args:
        draws: Synapse law.
        key: uint64 [2].
        rule: Index of the rule.
        n_rules: Number of rules.
        keys: int64 [edges]. source * n_rules + rule, ascending inside a target.
        ends: int64 [targets + 1]. Where each target's edges begin.
        low: Id of the first target.
        pre: float64 [sources, 4]. Places (um) and angles (deg) of the sources.
        post: float64 [targets, 4]. The same of the targets.
        source_codes: int64 [sources]. Classes of the rule.
        target_codes: int64 [targets].
        edge_types: int64 [source classes, target classes].
        listed: float64 [3, n or 0]. nsyns, weight, delay of listed pairs, where the code is LISTED.
        first_row: Row of ``listed`` of this block's first edge of the rule.
        out_type: int64 [edges], and so on: results; length 0 where not wanted.
        out_nsyns: uint32.
        out_weight: float32.
        out_delay: float32, ms.
        out_distance: float32, um.
    """
    n = len(ends) - 1
    nsyns, weights, delays = np.int64(0), np.int64(1), np.int64(2)  # one type, one compilation
    rows = np.zeros(n + 1, np.int64)
    if listed.shape[1]:
        for i in range(n):
            rows[i + 1] = rows[i]
            for e in range(ends[i], ends[i + 1]):
                rows[i + 1] += keys[e] % n_rules == rule
    for i in prange(n):
        target = low + i
        ct, row = target_codes[target], first_row + rows[i]
        repeat, last = 0, -1
        for e in range(ends[i], ends[i + 1]):
            if keys[e] % n_rules != rule:
                continue
            repeat = repeat + 1 if keys[e] == last else 0
            last = keys[e]
            source = keys[e] // n_rules
            cs = source_codes[source]
            dx = post[target, 0] - pre[source, 0]
            dy = post[target, 1] - pre[source, 1]
            dz = post[target, 2] - pre[source, 2]
            out_type[e] = edge_types[cs, ct]
            if len(out_distance):
                out_distance[e] = distance(2, dx, dy, dz)
            if len(out_nsyns):
                if draws.codes[0] == LISTED:
                    out_nsyns[e] = int(listed[0, row])
                else:
                    value = _draw(draws, nsyns, cs, ct, key, source, target, repeat, dx, dy, dz)
                    out_nsyns[e] = int(value)
            if len(out_weight):
                if draws.codes[1] == LISTED:
                    weight = listed[1, row]
                else:
                    weight = _draw(draws, weights, cs, ct, key, source, target, repeat, dx, dy, dz)
                out_weight[e] = weight * direction_factor(
                    draws.direction[cs, ct, 0], draws.direction[cs, ct, 1], draws.degrees,
                    dx, dz, pre[source, 3], post[target, 3],
                )  # fmt: skip
            if len(out_delay):
                if draws.codes[2] == LISTED:
                    delay = listed[2, row]
                else:
                    delay = _draw(draws, delays, cs, ct, key, source, target, repeat, dx, dy, dz)
                out_delay[e] = max(delay, draws.min_delay)
            row += 1
