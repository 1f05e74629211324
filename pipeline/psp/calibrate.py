"""Conductances by pathway that bring the mean potential to its published value."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.psp.features import conductance_factor
from pipeline.psp.pathways import Pathway, mtypes_of
from pipeline.psp.stage import Recording, Setup, pair_table, pathway_table, record_all
from pipeline.runtime import JsonStore

log = logging.getLogger(__name__)
NEAR = 0.02
"""Relative distance from the target at which a pathway is done."""
ROUNDS = 6
FACTORS = (0.05, 20.0)
"""Factors beyond are not taken: then something else is wrong."""
Measure = Callable[[dict[str, float]], tuple[list[Recording], pd.DataFrame]]


@dataclass
class Search:
    """One pathway on its way.

    Attributes:
        pathway: The pathway.
        factor: Of the conductances, so far.
        history: Factor and mean potential (mV) of every round.
        note: What stays off; "" while it goes on.
        done: Whether it is near its target.
    """

    pathway: Pathway
    factor: float = 1.0
    history: list[tuple[float, float]] = field(default_factory=list)
    note: str = ""
    done: bool = False

    @property
    def target(self) -> float:
        """Published mean, mV; NaN if there is none."""
        return self.pathway.targets["psp"][0]

    def take(self, measured: float, driving_force: float) -> None:
        """Takes the mean potential at the present factor, and chooses the next one."""
        self.history.append((self.factor, measured))
        if math.isnan(measured):
            self.note = "nothing was recorded"
        elif abs(measured / self.target - 1) <= NEAR:
            self.done = True
        else:
            change = conductance_factor(measured, self.target, driving_force)
            if math.isnan(change):
                self.note = f"no conductance reaches it: driving force {abs(driving_force):.3g} mV"
                return
            low, high = FACTORS
            wanted = self.factor * change
            if not low <= wanted <= high:
                self.note = f"needs a factor of {wanted:.3g}, beyond {low:g} to {high:g}"
            else:
                self.factor = wanted


def calibrate(setup: Setup, measure: Measure, rounds: int = ROUNDS) -> list[Search]:
    """Searches the factor of every pathway that has a target and connections.

    Args:
        setup: Pathways and connections.
        measure: Recordings and table of pathways at factors.
        rounds: Most rounds; each records all pathways that are not done.

    Returns:
        The searches, in the order of the table.
    """
    found = [
        Search(p)
        for p in setup.pathways
        if p.targets["psp"][0] > 0 and setup.pairs.get(p.name)
    ]  # fmt: skip
    for number in range(1, rounds + 1):
        # Those that are done keep their factor, so that their recordings are only read again.
        _, table = measure({s.pathway.name: s.factor for s in found})
        rows = table.set_index("pathway")
        for search in found:
            if search.done or search.note:
                continue
            row = rows.loc[search.pathway.name]
            before = search.factor
            search.take(float(row["psp"]), float(row["reversal"]) - search.pathway.hold)
            log.info(
                "round %d: %s: factor %.4g gives %.4g mV (%.4g)%s", number, search.pathway.name,
                before, row["psp"], search.target, " done" if search.done else "",
            )  # fmt: skip
        if all(s.done or s.note for s in found):
            break
    for search in found:
        if not search.done and not search.note:
            search.factor, nearest = min(search.history, key=lambda h: abs(h[1] - search.target))
            search.note = f"{nearest:.3g} mV is the nearest of {len(search.history)} rounds"
    return found


def measure_with(setup: Setup, store: JsonStore, workers: int) -> Measure:
    """Returns what records all pathways at factors."""

    def measure(factors: dict[str, float]) -> tuple[list[Recording], pd.DataFrame]:
        recordings, _ = record_all(setup, store, workers, factors)
        return recordings, pathway_table(setup.pathways, pair_table(recordings))

    return measure


def calibration_table(found: Sequence[Search], final: pd.DataFrame) -> pd.DataFrame:
    """One row per pathway: factor, potential before and after, target, rounds, what stays off.

    Args:
        found: The searches.
        final: Table of pathways at the last factors.
    """
    rows = final.set_index("pathway")
    table = []
    for search in found:
        row = rows.loc[search.pathway.name]
        table.append(
            {"pathway": search.pathway.name, "factor": search.factor, "before": search.history[0][1],
             "after": row["psp"], "target": search.target, "rounds": len(search.history),
             "conductance_before": row["conductance"] / search.factor,
             "conductance_after": row["conductance"], "pairs": row["pairs"], "off": search.note,
             "target_source": search.pathway.source}
        )  # fmt: skip
    return pd.DataFrame(table)


def gain_table(setup: Setup, table: pd.DataFrame, source: str) -> pd.DataFrame:
    """Gains of a run for every pair of m-types: edges, source, target, factor, pathway, source.

    A pair of m-types in several pathways takes the factor of the first; gains would multiply.
    Pathways whose search stayed off have none.

    Args:
        setup: Pathways.
        table: From ``calibration_table``.
        source: Where the numbers come from.
    """
    factors = table[table["off"] == ""].set_index("pathway")["factor"]
    rows: dict[tuple[str, str, str], dict] = {}
    for pathway in setup.pathways:
        if pathway.name not in factors:
            continue
        pre, post = setup.nodes(pathway.edges)
        for one in mtypes_of(pre, pathway.pre):
            for other in mtypes_of(post, pathway.post):
                rows.setdefault(
                    (pathway.edges, one, other),
                    {"edges": pathway.edges, "source": one, "target": other,
                     "factor": factors[pathway.name], "pathway": pathway.name,
                     "provenance": source},
                )  # fmt: skip
    columns = ["edges", "source", "target", "factor", "pathway", "provenance"]
    return pd.DataFrame(list(rows.values()), columns=columns)
