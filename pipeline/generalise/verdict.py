"""Which pairs are accepted, why others are not, and which me-types that leaves uncovered."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.generalise import Generalise
from pipeline.config.tables import read_csv
from pipeline.errors import ConfigError, Problem
from pipeline.generalise.evaluation import Evaluation
from pipeline.generalise.pairs import MeType, Pair

PAIRS = (
    "me_type", "mtype", "etype", "morphology", "emodel", "stand_in", "accepted",
    "holding_current", "threshold_current", "worst_feature", "worst_score", "reason", "key",
)  # fmt: skip
COVERAGE = (
    "me_type", "mtype", "etype", "emodel", "stand_in", "morphologies", "accepted", "covered",
    "nearest", "best_morphology", "best_score", "reason",
)  # fmt: skip
_NEAR = ("morph_class", "layer")
"""Labels that decide between neighbours after e-type and m-type."""


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    accepted: Whether the pair may be used.
    worst: The feature with the highest score, and the score; "" and NaN without any.
    reason: Every feature above the threshold or without a value, the worst first.
    """

    accepted: bool
    worst: tuple[str, float]
    reason: str


def is_skipped(feature: str, skip: Sequence[str]) -> bool:
    """Whether a feature does not decide."""
    return any(fnmatchcase(feature, pattern) for pattern in skip)


def judge(found: Evaluation, config: Generalise, unmet: Collection[str] = ()) -> Verdict:
    """Accepts a pair if no feature that counts scores above the threshold.

    Both currents must be there, too: the network needs them (Reva et al. 2023).

    Args:
        found: What the e-model does on the morphology.
        config: Threshold, and features that do not decide.
        unmet: Features that the e-model does not meet on the cell it was fitted to; they decide
            nothing either.
    """
    scores = {
        n: v for n, v in found.scores.items() if not is_skipped(n, config.skip) and n not in unmet
    }
    reasons = [found.reason] if found.reason else []
    absent = sorted(name for name, value in scores.items() if math.isnan(value))
    ranked = sorted(((v, n) for n, v in scores.items() if not math.isnan(v)), reverse=True)
    reasons += [f"{name} has no value" for name in absent]
    reasons += [f"{name} {value:.3g} sd" for value, name in ranked if value > config.threshold]
    for name in ("holding_current", "threshold_current"):
        if not found.reason and math.isnan(getattr(found, name)):
            reasons.append(f"no {name.replace('_', ' ')}")
    if not scores and not reasons:
        reasons.append("no feature counts")
    worst = (ranked[0][1], ranked[0][0]) if ranked else ("", math.nan)
    return Verdict(not reasons, worst, "; ".join(reasons))


def pair_table(
    types: Sequence[MeType],
    morphologies: dict[str, list[str]],
    keys: dict[Pair, str],
    found: dict[Pair, Evaluation],
    config: Generalise,
    unmet: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Returns one row per me-type and morphology; ``PAIRS`` are the columns, currents in nA."""  # fmt: skip
    unmet = unmet or {}
    verdicts = {
        p: judge(evaluation, config, unmet.get(p.emodel, {})) for p, evaluation in found.items()
    }
    rows = []
    for kind in types:
        for name in morphologies.get(kind.mtype, ()) if kind.emodel else ():
            pair = Pair(name, kind.emodel)
            verdict, evaluation = verdicts[pair], found[pair]
            rows.append(
                (
                    kind.name, kind.mtype, kind.etype, name, kind.emodel, kind.stand_in,
                    int(verdict.accepted), evaluation.holding_current,
                    evaluation.threshold_current, *verdict.worst, verdict.reason, keys[pair],
                )
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(PAIRS))


def read_unmet(
    folder: Path | None, emodels: Sequence[str], config: Generalise
) -> dict[str, dict[str, float]]:
    """Returns the features that e-models do not meet on the cells they were fitted to.

    Args:
        folder: Of the tables of fits, ``<e-model>.csv`` with ``protocol, location, feature, score``.
        emodels: Names; those without a table have none.
        config: The threshold, and features that do not decide anyway.

    Returns:
        Score (sd) by e-model and feature.
    """
    found = {}
    for name in emodels:
        path = folder / f"{name}.csv" if folder else None
        if path is None or not path.is_file():
            continue
        table = read_csv(path)
        columns = ("protocol", "location", "feature", "score")
        if missing := [column for column in columns if column not in table]:
            hint = f"needed: {', '.join(columns)}"
            raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
        labels = table["protocol"] + "." + table["location"] + "." + table["feature"]
        numbers = pd.to_numeric(table["score"], errors="coerce").astype(float)
        written = table["score"].str.strip().str.lower().isin(["", "nan"])
        if wrong := [int(row) for row in np.flatnonzero(numbers.isna() & ~written)]:
            message = f"score is {table['score'][wrong[0]]!r}"
            raise ConfigError(Problem(f"{path}:{wrong[0] + 2}", message, "write a number"))
        scores = dict(zip(labels, numbers, strict=True))
        found[name] = {
            label: score
            for label, score in scores.items()
            if not score <= config.threshold and not is_skipped(label, config.skip)
        }
    return found


def unmet_table(unmet: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Returns a row per feature left out: emodel, feature, score (sd, on the fit's own cell)."""
    rows = [(m, name, score) for m in sorted(unmet) for name, score in sorted(unmet[m].items())]
    return pd.DataFrame(rows, columns=["emodel", "feature", "score"])


def score_table(
    found: dict[Pair, Evaluation],
    config: Generalise,
    unmet: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Returns every score: morphology, emodel, feature, score (sd), counts (0: left out)."""
    unmet = unmet or {}
    rows = [
        (
            pair.morphology, pair.emodel, name, score,
            int(not is_skipped(name, config.skip) and name not in unmet.get(pair.emodel, {})),
        )
        for pair in sorted(found)
        for name, score in sorted(found[pair].scores.items())
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["morphology", "emodel", "feature", "score", "counts"])


def coverage_table(
    types: Sequence[MeType], morphologies: dict[str, list[str]], pairs: pd.DataFrame
) -> pd.DataFrame:
    """Says of every me-type whether some morphology is accepted.

    The nearest of an uncovered one is the covered me-type of the same e-type, then m-type, class of
    morphology and layer, then the first by name. Its best morphology is the rejected one that
    misses by least.

    Returns:
        One row per me-type; ``COVERAGE`` are the columns.
    """
    own = dict(iter(pairs.groupby("me_type", sort=False)))
    covered = [t for t in types if t.name in own and own[t.name]["accepted"].any()]
    rows = []
    for kind in types:
        part, here = own.get(kind.name), len(morphologies.get(kind.mtype, ()))
        accepted = 0 if part is None else int(part["accepted"].sum())
        near, best, reason = "", ("", math.nan), ""
        if part is not None:
            order = part.sort_values(["worst_score", "morphology"], kind="stable")
            order = order[order["accepted"] == part["accepted"].max()]
            best = tuple(order[["morphology", "worst_score"]].iloc[0])
            reason = order["reason"].iloc[0]
        elif not kind.emodel:
            reason = f"no e-model for e-type {kind.etype}"
        else:
            reason = f"no morphology of {kind.mtype}"
        if not accepted and covered:
            near = min(covered, key=lambda other, kind=kind: _distance(kind, other)).name
        rows.append((
            kind.name, kind.mtype, kind.etype, kind.emodel, kind.stand_in, here, accepted,
            int(accepted > 0), near, *best, reason,
        ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COVERAGE))


def _distance(kind: MeType, other: MeType) -> tuple:
    near = (kind.labels.get(n) != other.labels.get(n) for n in _NEAR)
    return (kind.etype != other.etype, kind.mtype != other.mtype, *near, other.name)
