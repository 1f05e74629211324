"""Gives cells with drawn morphologies their e-models and currents, from what ``generalise`` judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.cells.description import stored_cell
from pipeline.config.celltypes import TypeSpec
from pipeline.config.emodel import read_emodel
from pipeline.config.load import Resolved
from pipeline.config.schema import OddLength
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_json
from pipeline.sonata.layout import CELL_TEMPLATE, CircuitPaths
from pipeline.sonata.read import not_built

_CURRENTS = ("holding_current", "threshold_current")
_NEEDED = ("me_type", "morphology", "emodel", "accepted", *_CURRENTS)


@dataclass(frozen=True)
class Judged:
    """The judged pairs of a population.

    Attributes:
        emodels: me-type to e-model.
        accepted: me-type to the morphologies that passed; types without one are not there.
        currents: (me-type, morphology) to holding and threshold current, nA; NaN if not found.
    """

    emodels: dict[str, str]
    accepted: dict[str, frozenset[str]]
    currents: dict[tuple[str, str], tuple[float, float]]

    def allowed(self, me_type: str, names: Sequence[str]) -> np.ndarray:
        """Says which morphologies the cells of a type may draw: bool [names].

        All where none is accepted, so that cell numbers stay exact; such cells are counted.
        """
        passed = self.accepted.get(me_type, frozenset())
        found = np.array([name in passed for name in names])
        return found if found.any() else np.ones(len(names), bool)


def read_judged(resolved: Resolved, name: str, paths: CircuitPaths) -> Judged | None:
    """Reads the judged pairs of a population; None if the model judges none.

    Raises:
        CircuitError: If the stage ``generalise`` has not run.
        ConfigError: If its table is damaged.
    """
    config = resolved.model.generalise
    if config is None or config.nodes != name:
        return None
    path = paths.generalise("pairs")
    if not path.is_file():
        raise not_built(path, "generalise")
    return judged_of(path)


def judged_of(path: Path) -> Judged:
    """Reads a table of judged pairs.

    Raises:
        ConfigError: For missing columns and currents that are no numbers.
    """
    table = read_csv(path)
    if missing := [column for column in _NEEDED if column not in table]:
        hint = nearest(missing[0], list(table.columns))
        raise ConfigError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    numbers = table[list(_CURRENTS)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    empty = table[list(_CURRENTS)].isin(["", "nan"]).to_numpy()
    none = ~np.isfinite(numbers) & ~empty
    if wrong := [int(row) + 2 for row in np.flatnonzero(none.any(axis=1))]:
        raise ConfigError(Problem(f"{path}:{wrong[0]}", "a current is no number", "judge anew"))
    if wrong := [int(row) for row in np.flatnonzero(~table["accepted"].isin(["0", "1"]))]:
        message = f"accepted is {table['accepted'][wrong[0]]!r}"
        raise ConfigError(Problem(f"{path}:{wrong[0] + 2}", message, "write 0 or 1, or judge anew"))
    kinds, shapes = table["me_type"], table["morphology"]
    passed = table["accepted"] == "1"
    accepted = shapes[passed].groupby(kinds[passed]).agg(frozenset).to_dict()
    currents = dict(zip(zip(kinds, shapes, strict=True), map(tuple, numbers), strict=True))
    return Judged(dict(zip(kinds, table["emodel"], strict=True)), accepted, currents)


def cell_currents(judged: Judged, kinds: np.ndarray, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """Returns ``holding_current`` and ``threshold_current`` of every cell, float32 [n], nA.

    Args:
        judged: The pairs.
        kinds: text [n], me-type of every cell.
        shapes: text [n], its morphology.
    """
    none = (np.nan, np.nan)
    found = [judged.currents.get(pair, none) for pair in zip(kinds, shapes, strict=True)]
    values = np.array(found, np.float32).reshape(-1, 2)
    return {name: values[:, index] for index, name in enumerate(_CURRENTS)}


def emodel_entries(judged: Judged, spec: TypeSpec) -> dict[str, object]:
    """Returns what a node type says of its e-model; nothing where there is none."""
    emodel = judged.emodels.get(spec.name)
    if emodel is None:
        return {}
    return {
        "model_template": CELL_TEMPLATE,
        "model_name": emodel,
        "dynamics_params": f"{emodel}.json",
    }


def emodel_table(judged: Judged, kinds: np.ndarray, shapes: np.ndarray) -> pd.DataFrame:
    """Counts the cells of every me-type: me_type, emodel, cells, accepted (pairs that passed)."""
    passed = [
        shape in judged.accepted.get(kind, ()) for kind, shape in zip(kinds, shapes, strict=True)
    ]
    frame = pd.DataFrame({"me_type": kinds.astype(str), "accepted": np.array(passed, np.int64)})
    groups = frame.groupby("me_type", sort=True)["accepted"]
    counted = pd.DataFrame({"cells": groups.size(), "accepted": groups.sum()}).reset_index()
    counted.insert(1, "emodel", [judged.emodels.get(kind, "") for kind in counted["me_type"]])
    return counted


def write_emodels(resolved: Resolved, judged: Judged, paths: CircuitPaths) -> None:
    """Writes ``components/emodels`` with every e-model that some me-type has.

    Raises:
        ConfigError: For e-models without an entry under ``fits``, which has axon and segments.
    """
    fits, names = resolved.model.fits, sorted(set(judged.emodels.values()))
    if missing := [name for name in names if name not in fits]:
        where = resolved.origin(("generalise",))
        message = f"no entry under fits for {', '.join(missing)}"
        raise ConfigError(Problem(where, message, "add it; axon and segments are taken from it"))
    for name in names:
        path = resolved.path(resolved.model.generalise.emodels) / f"{name}.yaml"
        # A fit has nseg = 1 + 2 int(L / segment), this rule 1 + 2 int(L / (2 length)).
        rule = OddLength(rule="odd_length", length=fits[name].segment / 2)
        write_json(
            paths.emodels / f"{name}.json", stored_cell(read_emodel(path)[0], rule, fits[name].axon)
        )
