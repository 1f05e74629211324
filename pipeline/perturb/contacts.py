"""Perturbations of a circuit of contacts, each a function from contacts to contacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Contacts:
    """Contacts between cells; a place is any number that stands for a point on a cell.

    Attributes:
        kind: int64 [n]. Such as chemical or electrical, by any numbers.
        source, target: int64 [n]. Cells.
        pre, post: int64 [n]. Places on the source and on the target cell.
        weight: float64 [n]. Signed.
        rows: int64 [n]. Where each stood at the start, so that a caller finds what it did not pass.
    """

    kind: np.ndarray
    source: np.ndarray
    target: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    rows: np.ndarray

    def take(self, chosen: np.ndarray) -> Contacts:
        """Returns some of the contacts, by bool or index."""
        return Contacts(**{name: column[chosen] for name, column in vars(self).items()})


def remove(contacts: Contacts, kinds: Sequence[int]) -> Contacts:
    """Leaves out all contacts of some kinds."""
    return contacts.take(~np.isin(contacts.kind, kinds))


def ablate(contacts: Contacts, cells: Sequence[int]) -> Contacts:
    """Leaves out all contacts from and to some cells; the cells stay, alone."""
    touched = np.isin(contacts.source, cells) | np.isin(contacts.target, cells)
    return contacts.take(~touched)


def scale(contacts: Contacts, kinds: Sequence[int], factor: float) -> Contacts:
    """Multiplies the weights of some kinds."""
    weight = np.where(np.isin(contacts.kind, kinds), factor, 1.0) * contacts.weight
    return replace(contacts, weight=weight)


def shuffle_weights(contacts: Contacts, kinds: Sequence[int], rng: np.random.Generator) -> Contacts:
    """Permutes the weights, with their signs, among the contacts of each kind."""
    weight = contacts.weight.copy()
    for kind in kinds:
        rows = np.flatnonzero(contacts.kind == kind)
        weight[rows] = contacts.weight[rng.permutation(rows)]
    return replace(contacts, weight=weight)


def shuffle_places(contacts: Contacts, kinds: Sequence[int], rng: np.random.Generator) -> Contacts:
    """Permutes places within each cell: who is connected stays, where on the neurites does not.

    Starts and ends are permuted apart, among the contacts of the same kind.
    """
    pre, post = contacts.pre.copy(), contacts.post.copy()
    for kind in kinds:
        of_kind = contacts.kind == kind
        for cells, places in ((contacts.source, pre), (contacts.target, post)):
            for cell in np.unique(cells[of_kind]):
                rows = np.flatnonzero(of_kind & (cells == cell))
                places[rows] = places[rng.permutation(rows)]
    return replace(contacts, pre=pre, post=post)


def to_soma(contacts: Contacts, somata: np.ndarray) -> Contacts:
    """Moves every contact to the somata, as if cells had no neurites.

    Args:
        contacts: The contacts.
        somata: int64 [cells]. The place of each cell's soma.
    """
    return replace(contacts, pre=somata[contacts.source], post=somata[contacts.target])
