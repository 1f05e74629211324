"""Pruning parameters by pathway: rules from a table, solved against touches measured in a sample."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.touches import CALIBRATED_COLUMNS, PATHWAY_COLUMNS, Pruning
from pipeline.edges.touch.solve import (
    LAWS,
    LEAST_TOUCHES,
    Steps,
    from_active_fraction,
    from_mean_and_cv,
    from_mean_and_sd,
    give_way,
    predicted_mean,
    what_is_left,
)
from pipeline.edges.touch.tables import RuleTable, Types

DEFAULT_REDUCTION = 0.04
"""B of rules with n and sd that name none (default of the open implementation)."""
_ROUNDS = 8
_MOST_RAISED = 4.0
_CLOSE = 0.1
"""Relative error of n beyond which a target counts as unmet."""
_GEOMETRIC_PAIRS = 1e6
_ENOUGH = 0.98
"""Part of B that counts as B."""


@dataclass(frozen=True)
class PathwayRules:
    """Compiled rules: the row that governs each pathway, and its numbers.

    Attributes:
        row: int64 [m, m] (pre, post). Row of the table, -1 where none.
        numbers: Column name (B, n, sd, c, a) to float64 [rows], NaN where empty.
        law: Name of the law of n per row, or empty.
        path: The file.
    """

    row: np.ndarray
    numbers: dict[str, np.ndarray]
    law: list[str]
    path: Path


@dataclass(frozen=True)
class Measured:
    """What detection found for a sample of presynaptic cells.

    Attributes:
        counts: int64 [m, m, k]. Pairs with 0 .. k - 1 touches by pathway (0 is not counted).
        sampled: int64 [m]. Presynaptic cells looked at.
        axon: float64 [m]. Their axon length where there are cells, um.
    """

    counts: np.ndarray
    sampled: np.ndarray
    axon: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """Touching pairs: int64 [m, m]."""
        return self.counts.sum(axis=2)

    @property
    def touches(self) -> np.ndarray:
        """Touches: int64 [m, m]."""
        return self.counts @ np.arange(self.counts.shape[2])

    def density(self) -> np.ndarray:
        """Touches per um of axon by presynaptic m-type; NaN without axon: float64 [m]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.axon > 0, self.touches.sum(axis=1) / self.axon, np.nan)


@dataclass(frozen=True)
class Pathways:
    """Parameters of every pathway; arrays are [m, m] (pre, post).

    Attributes:
        pairs: Touching pairs in the sample.
        N: Mean touches per touching pair that the parameters assume.
        B: Fraction of touches that should stay.
        f1: Probability of step 1.
        mu: Threshold of step 2.
        A: Probability of step 3.
        n: Expected mean of synapses per connection.
        cv: Expected coefficient of variation.
        kept: Expected fraction of touches that stay.
        rule: Line of the rule in its table, 0 where none.
        status: What could not be met, empty where all was.
    """

    pairs: np.ndarray
    N: np.ndarray
    B: np.ndarray
    f1: np.ndarray
    mu: np.ndarray
    A: np.ndarray
    n: np.ndarray
    cv: np.ndarray
    kept: np.ndarray
    rule: np.ndarray
    status: np.ndarray

    @classmethod
    def empty(cls, m: int) -> Pathways:
        """Parameters that keep nothing."""
        whole = {"pairs": np.int64, "rule": np.int64, "status": object}
        made = {f.name: np.zeros((m, m), whole.get(f.name, np.float64)) for f in fields(cls)}
        made["status"][:] = ""
        return cls(**made)

    def frame(self, mtypes: tuple[str, ...]) -> pd.DataFrame:
        """The table that ``read_pathways`` reads: one row per pathway."""
        names = np.array(mtypes, object)
        rows = {"pre": np.repeat(names, len(names)), "post": np.tile(names, len(names))}
        rows |= {field.name: getattr(self, field.name).ravel() for field in fields(self)}
        return pd.DataFrame(rows)[list(CALIBRATED_COLUMNS)]


def read_rules(path: Path, types: Types) -> tuple[PathwayRules, RuleTable]:
    """Compiles the pathway rules; the last row that matches a pathway governs it.

    Returns:
        The rules, and the table with the problems found.
    """
    table = RuleTable.read(path, PATHWAY_COLUMNS)
    table.patterns(("pre", "post"), types)
    table.choices("n_law", ("", *LAWS))
    table.sources()
    highs = {"B": 1.0, "n": 1000.0, "sd": 1000.0, "c": 100.0, "a": 1.0}
    numbers = {name: table.numbers(name, 0.0, high) for name, high in highs.items()}
    laws = table.frame["n_law"].tolist()
    row = np.full((len(types.mtypes),) * 2, -1, np.int64)
    for index, (pre, post) in enumerate(zip(table.frame["pre"], table.frame["post"], strict=True)):
        _check_row(table, index, {k: values[index] for k, values in numbers.items()}, laws[index])
        row[np.ix_(types.matching(pre), types.matching(post))] = index
    return PathwayRules(row, numbers, laws, path), table


def _check_row(table: RuleTable, index: int, row: dict[str, float], law: str) -> None:
    given = [name for name in ("n", "a") if not np.isnan(row[name])] + (["n_law"] if law else [])
    if len(given) != 1:
        found = " and ".join(given) if given else "none"
        table.add(index, f"gives {found} of n, a and n_law", "give exactly one")
    if np.isnan(row["c"]) and (np.isnan(row["sd"]) or given != ["n"]):
        table.add(index, "c is empty", "give c, or n with sd")
    for name in ("a", "c", "n"):
        if row[name] == 0.0:
            table.add(index, f"{name} is 0; expected more")


def read_pathways(path: Path, types: Types) -> tuple[Pathways, RuleTable]:
    """Reads a calibrated table; every pathway of the cells must stand in it.

    Returns:
        The parameters, and the table with the problems found.
    """
    table = RuleTable.read(path, CALIBRATED_COLUMNS)
    table.patterns(("pre", "post"), types)
    found = Pathways.empty(len(types.mtypes))
    code = {name: index for index, name in enumerate(types.mtypes)}
    pre = table.frame["pre"].map(code)
    post = table.frame["post"].map(code)
    here = (pre.notna() & post.notna()).to_numpy()
    at = (pre[here].astype(int).to_numpy(), post[here].astype(int).to_numpy())
    highs = {"B": 1.0, "f1": 1.0, "A": 1.0, "kept": 1.0}
    for name in CALIBRATED_COLUMNS[2:-1]:
        low = -1.0 if name == "rule" else 0.0
        values = table.numbers(name, low, highs.get(name, np.inf), needed=name in ("f1", "mu", "A"))
        getattr(found, name)[at] = np.nan_to_num(values[here])
    found.status[at] = table.frame["status"][here].to_numpy()
    present = np.zeros((len(types.mtypes),) * 2, bool)
    present[at] = True
    if not present.all():
        i, j = np.argwhere(~present)[0]
        pair = f"{types.mtypes[i]} to {types.mtypes[j]}"
        table.add(-1, f"{(~present).sum()} pathways are missing, such as {pair}", "calibrate anew")
    return found, table


def mean_touches(measured: Measured, inhibitory: np.ndarray, least: int) -> np.ndarray:
    """N by pathway; with few pairs from its neighbours: float64 [m, m].

    A pathway with fewer than ``least`` touching pairs takes the mean of its presynaptic type onto
    all targets of the same class, then onto all, then of all pathways.
    """
    pairs, touches = measured.pairs.astype(float), measured.touches.astype(float)
    levels = [(pairs, touches)]
    same = inhibitory[:, None] == inhibitory[None, :]
    levels.append((pairs @ same, touches @ same))
    whole = [np.repeat(x.sum(axis=1, keepdims=True), len(x), axis=1) for x in (pairs, touches)]
    levels.append(tuple(whole))
    levels.append(tuple(np.full_like(pairs, x.sum()) for x in (pairs, touches)))
    found = np.full(pairs.shape, 1.0)
    for count, total in reversed(levels):
        # The last level counts with any pair at all: nothing is left to ask.
        enough = count >= (1 if count is levels[-1][0] else least)
        found = np.where(enough, total / np.maximum(count, 1), found)
    return np.maximum(found, LEAST_TOUCHES)


def reductions(
    measured: Measured, rules: PathwayRules, config: Pruning
) -> tuple[np.ndarray, np.ndarray]:
    """B of every pathway before it is raised, and which are free to be: float64, bool [m, m].

    With ``reduction: density`` B is the same for all pathways of a presynaptic type: what turns its
    touches per um of axon into the wanted boutons per um. Rules with a = 1 and B = 1 keep all.
    """
    given = np.where(rules.row >= 0, rules.numbers["B"][rules.row], 0.0)
    fixed = (given == 1.0) & (np.where(rules.row >= 0, rules.numbers["a"][rules.row], 0.0) == 1.0)
    reduction = np.where(np.isnan(given), DEFAULT_REDUCTION, given)
    if config.reduction == "density":
        wanted = config.bouton_density * config.synapses_per_bouton
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.minimum(wanted / measured.density(), 1.0)[:, None]
        reduction = np.where(np.isfinite(own) & ~fixed, own, reduction)
    return np.where(rules.row >= 0, reduction, 0.0), ~fixed & (rules.row >= 0)


def solve_pathways(
    measured: Measured, rules: PathwayRules, config: Pruning, inhibitory: np.ndarray
) -> Pathways:
    """Solves the parameters of all pathways.

    Where a measured n leaves fewer touches than B asks for, the other pathways of the presynaptic
    type are raised, so that its bouton density still comes out.

    Args:
        measured: The sample.
        rules: Rules by pathway.
        config: Where B comes from.
        inhibitory: bool [m].
    """
    m = len(inhibitory)
    out = Pathways.empty(m)
    out.pairs[:], out.rule[:] = measured.pairs, rules.row + 2
    out.rule[rules.row < 0] = 0
    out.N[:] = mean_touches(measured, inhibitory, config.least_pairs)
    reduction, free = reductions(measured, rules, config)
    touches = measured.touches.astype(float)
    for pre in range(m):
        share = touches[pre] if touches[pre].sum() else np.ones(m)
        raised = 1.0
        for _ in range(_ROUNDS if config.reduction == "density" else 1):
            out.B[pre] = np.where(
                free[pre], np.minimum(reduction[pre] * raised, 1.0), reduction[pre]
            )
            for post in range(m):
                _solve(out, measured, rules, config, pre, post)
            wanted, got = (share * free[pre] * x[pre] for x in (reduction, out.kept))
            if got.sum() <= 0 or raised >= _MOST_RAISED or got.sum() >= 0.99 * wanted.sum():
                break
            raised = min(raised * wanted.sum() / got.sum(), _MOST_RAISED)
    return out


def _counts(out: Pathways, measured: Measured, config: Pruning, pre: int, post: int) -> np.ndarray:
    """Pairs by number of touches: as sampled, or geometric where too few were."""
    if out.pairs[pre, post] >= config.least_pairs:
        return measured.counts[pre, post]
    p = 1.0 / out.N[pre, post]
    k = np.arange(1, min(int(20 * out.N[pre, post]) + 10, 2000))
    return np.concatenate(([0], np.rint(_GEOMETRIC_PAIRS * p * (1 - p) ** (k - 1)))).astype(
        np.int64
    )


def _steps(out: Pathways, rules: PathwayRules, pre: int, post: int) -> tuple[Steps, float]:
    """Steps 1 and 2 of one pathway, and the n aimed at (NaN: none)."""
    row = rules.row[pre, post]
    value = {name: float(values[row]) for name, values in rules.numbers.items()}
    touches, n = out.N[pre, post], value["n"]
    if value["a"] == 1.0 and value["B"] == 1.0:
        return Steps(1.0, 0.0), np.nan
    if rules.law[row]:
        n = predicted_mean(rules.law[row], touches)
    if np.isnan(n):
        return from_active_fraction(touches, out.B[pre, post], value["c"], value["a"]), np.nan
    if np.isnan(value["c"]):
        return from_mean_and_sd(touches, n, value["sd"]), n
    return from_mean_and_cv(touches, n, value["c"]), n


def _solve(
    out: Pathways, measured: Measured, rules: PathwayRules, config: Pruning, pre: int, post: int
) -> None:
    """Fills in one pathway."""
    if rules.row[pre, post] < 0:
        out.status[pre, post] = "no rule: nothing is kept" if out.pairs[pre, post] else ""
        return
    at, b = (pre, post), out.B[pre, post]
    steps, aim = _steps(out, rules, pre, post)
    counts = _counts(out, measured, config, pre, post)
    left = what_is_left(counts, steps)
    unmet = ["few pairs: N of its neighbours"] if out.pairs[at] < config.least_pairs else []
    if config.give_way and left.r < _ENOUGH * b:
        steps = give_way(counts, steps, aim, b)
        left = what_is_left(counts, steps)
        if not np.isnan(aim):
            unmet.append("c gives way")
    out.f1[at], out.mu[at] = steps
    out.A[at] = min(1.0, b / left.r) if left.r > 0 else 1.0
    out.kept[at], out.n[at], out.cv[at] = out.A[at] * left.r, left.n, left.cv
    if not np.isnan(aim) and abs(left.n - aim) > _CLOSE * aim:
        unmet.append(f"n {left.n:.1f} for {aim:.1f}")
    if left.r < _ENOUGH * b:
        unmet.append(f"keeps {left.r:.3f} of touches for B {b:.3f}")
    out.status[at] = "; ".join(unmet)
