"""The perturbations of a config on placed contacts, in the order they stand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.perturb import Perturbation
from pipeline.edges.contacts import CHEMICAL, GAP
from pipeline.errors import ConfigError, Problem
from pipeline.perturb import contacts as laws
from pipeline.perturb.contacts import Contacts
from pipeline.runtime import rng_for

KINDS = {"chemical": CHEMICAL, "electrical": GAP}
PLACE = ("section", "pos", "x", "y", "z")


def perturb_contacts(
    frame: pd.DataFrame, cells: pd.DataFrame, perturbations: list[Perturbation], name: str
) -> pd.DataFrame:
    """Returns perturbed contacts.

    Args:
        frame: As ``find_contacts`` returns them, within one population.
        cells: Its nodes: name, x, y, z (somata) and properties.
        perturbations: What to do.
        name: Key under ``edges``, for messages.

    Raises:
        ConfigError: If a cell, property or value is unknown.
    """
    contacts, places = to_contacts(frame, cells)
    somata = np.arange(len(places) - len(cells), len(places))
    for index, entry in enumerate(perturbations):
        where = f"edges.{name}.perturb.{index}"
        contacts = _apply(contacts, entry, cells, somata, where)
    return _to_frame(frame, contacts, places)


def to_contacts(frame: pd.DataFrame, cells: pd.DataFrame) -> tuple[Contacts, np.ndarray]:
    """Turns placed contacts into plain arrays.

    Returns:
        The contacts; places are rows of the table float64 [places, 5] (section, position, x, y, z), which
        ends with the somata.
    """
    n = len(frame)
    sides = [
        frame[[f"{side}_{part}" for part in PLACE]].to_numpy(float) for side in ("pre", "post")
    ]
    soma = np.zeros((len(cells), len(PLACE)))
    soma[:, 1], soma[:, 2:] = 0.5, cells[["x", "y", "z"]].to_numpy(float)
    sign = np.where(frame["inhibitory"].to_numpy(bool), -1.0, 1.0)
    columns = [frame[key].to_numpy(np.int64) for key in ("kind", "source", "target")]
    weight = sign * frame["weight"].to_numpy(float)
    contacts = Contacts(*columns, np.arange(n), n + np.arange(n), weight, np.arange(n))
    return contacts, np.vstack([*sides, soma])


def _apply(
    contacts: Contacts, entry: Perturbation, cells: pd.DataFrame, somata: np.ndarray, where: str
) -> Contacts:
    kinds = [KINDS[kind] for kind in getattr(entry, "of", [])]
    if entry.kind == "remove":
        return laws.remove(contacts, kinds)
    if entry.kind == "scale":
        return laws.scale(contacts, kinds, entry.factor)
    if entry.kind in ("shuffle_weights", "shuffle_places"):
        return getattr(laws, entry.kind)(contacts, kinds, rng_for(entry.seed, entry.kind))
    if entry.kind == "to_soma":
        return laws.to_soma(contacts, somata)
    return laws.ablate(contacts, chosen_cells(entry, cells, where))


def chosen_cells(entry: Perturbation, cells: pd.DataFrame, where: str) -> np.ndarray:
    """Returns the rows of the cells that an ablation names.

    Raises:
        ConfigError: If a name, property or value is unknown, or nothing is chosen.
    """
    names = cells["name"].astype(str).to_numpy()
    unknown = sorted(set(entry.cells) - set(names))
    if unknown:
        raise ConfigError(Problem(where, f"no cell {unknown[0]!r}"))
    chosen = np.isin(names, entry.cells)
    for column, value in entry.where.items():
        if column not in cells:
            raise ConfigError(Problem(where, f"nodes have no property {column!r}"))
        match = cells[column].astype(str).to_numpy() == value
        if not match.any():
            raise ConfigError(Problem(where, f"no cell with {column} {value!r}"))
        chosen |= match
    if not chosen.any():
        raise ConfigError(Problem(where, "names no cell", "give cells, where, or both"))
    return np.flatnonzero(chosen)


def _to_frame(frame: pd.DataFrame, contacts: Contacts, places: np.ndarray) -> pd.DataFrame:
    found = frame.iloc[contacts.rows].reset_index(drop=True)
    found["weight"], found["inhibitory"] = np.abs(contacts.weight), contacts.weight < 0
    for side, index in (("pre", contacts.pre), ("post", contacts.post)):
        for column, part in enumerate(PLACE):
            key = f"{side}_{part}"
            found[key] = places[index, column].astype(frame[key].dtype)
    ends = [found[[f"{side}_{axis}" for axis in "xyz"]].to_numpy(float) for side in ("pre", "post")]
    found["distance"] = np.linalg.norm(ends[0] - ends[1], axis=1)
    return found
