"""Weights of single contacts from a table, in place of drawn ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.tables import read_csv
from pipeline.edges.contacts import CHEMICAL, GAP
from pipeline.errors import ConfigError, Problem

COLUMNS = ("pre", "post", "kind", "contact", "weight")
KINDS = {"chemical": CHEMICAL, "electrical": GAP}
SHOWN = 20


def apply_weights(
    contacts: pd.DataFrame, names: tuple[list[str], list[str]], path: Path
) -> pd.DataFrame:
    """Replaces the weights and signs of contacts.

    Args:
        contacts: As ``find_contacts`` returns them.
        names: Of the source and of the target cells.
        path: CSV with pre, post, kind (chemical or electrical), contact (number within the pair and
            kind, from 0, in the order of placing) and weight: chemical below 0 inhibitory, electrical
            the conductance of both halves in uS. A junction stands once. Rows of cells that the circuit does
            not have are left out.

    Returns:
        The contacts with ``weight`` and ``inhibitory`` of the table.

    Raises:
        ConfigError: If a row is wrong, or the table and the contacts differ.
    """
    table = _read(path)
    source = {name: row for row, name in enumerate(names[0])}
    target = {name: row for row, name in enumerate(names[1])}
    table = table[table["pre"].isin(source) & table["post"].isin(target)]
    wanted = {
        (source[row.pre], target[row.post], KINDS[row.kind], row.contact): row.weight
        for row in table.itertuples()
    }
    number = contacts.groupby(["source", "target", "kind"]).cumcount()
    keys = list(zip(contacts["source"], contacts["target"], contacts["kind"], number, strict=True))
    missing = [key for key in keys if key not in wanted]
    if missing or len(wanted) != len(keys):
        extra = set(wanted) - set(keys)
        pre, post, kind, contact = (missing or sorted(extra))[0]
        which = "no weight for" if missing else "a weight without a contact:"
        name = next(key for key, value in KINDS.items() if value == kind)
        message = f"{which} {name} contact {contact} of {names[0][pre]}, {names[1][post]}"
        hint = "weights hold for the contacts they were trained on: same law, connectome and seed"
        raise ConfigError(Problem(str(path), message, hint))
    weight = np.array([wanted[key] for key in keys])
    chemical = (contacts["kind"] == CHEMICAL).to_numpy()
    return contacts.assign(weight=np.abs(weight), inhibitory=chemical & (weight < 0))


def _read(path: Path) -> pd.DataFrame:
    table = read_csv(path)
    if list(table) != list(COLUMNS):
        found, wanted = ",".join(table), ",".join(COLUMNS)
        raise ConfigError(Problem(f"{path}:1", f"header is {found!r}", f"write {wanted}"))
    weight = pd.to_numeric(table["weight"], errors="coerce")
    contact = pd.to_numeric(table["contact"], errors="coerce")
    checks = [
        (~table["kind"].isin(KINDS), "kind", "chemical or electrical"),
        (~np.isfinite(weight), "weight", "a number"),
        ((table["kind"] == "electrical") & (weight < 0), "weight", "a conductance of 0 or more"),
        (~(contact >= 0) | (contact % 1 != 0), "contact", "a number from 0"),
        (table.duplicated(list(COLUMNS[:4])), "contact", "each contact once"),
    ]
    problems = [
        Problem(f"{path}:{row + 2}", f"{column} is {table[column].iloc[row]!r}", f"write {hint}")
        for bad, column, hint in checks
        for row in np.flatnonzero(bad)[:SHOWN]
    ]
    if problems:
        raise ConfigError(problems[:SHOWN])
    return table.assign(weight=weight, contact=contact.astype(int))


def weight_rows(
    names: list[str], source: np.ndarray, target: np.ndarray, kind: str, weight: np.ndarray
) -> pd.DataFrame:
    """Returns rows of such a table for the contacts of one kind, in the order of the edges file."""
    frame = pd.DataFrame(
        {
            "pre": [names[i] for i in source],
            "post": [names[i] for i in target],
            "kind": kind,
        }
    )
    frame["contact"] = frame.groupby(["pre", "post"]).cumcount()
    return frame.assign(weight=weight)
