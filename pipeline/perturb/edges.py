"""Perturbations of an edge population with all its attributes, each a function from edges to edges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.philox import rule_key, uniforms_array
from pipeline.runtime import rng_for


@dataclass(frozen=True)
class Edges:
    """One edge population, sorted by (target, source).

    Attributes:
        source: int64 [n]. Node ids.
        target: int64 [n]. Node ids.
        kind: int64 [n]. Edge type ids.
        columns: Attribute name to array [n].
    """

    source: np.ndarray
    target: np.ndarray
    kind: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: np.ndarray) -> Edges:
        """Some of the edges, in the order of ``rows``."""
        columns = {name: values[rows] for name, values in self.columns.items()}
        return Edges(self.source[rows], self.target[rows], self.kind[rows], columns)

    def sorted(self) -> Edges:
        """The same edges by (target, source); synapses of a connection keep their order."""
        return self.take(np.lexsort((self.source, self.target)))


def remove_nodes(edges: Edges, sources: np.ndarray, targets: np.ndarray) -> Edges:
    """Leaves out the edges from or onto some nodes.

    Args:
        edges: The population.
        sources: bool [source nodes].
        targets: bool [target nodes].
    """
    return edges.take(np.flatnonzero(~(sources[edges.source] | targets[edges.target])))


def scale(edges: Edges, column: str, factor: float, kinds: np.ndarray) -> Edges:
    """Multiplies an attribute of the edges of some types.

    Args:
        edges: The population.
        column: The attribute; edges without it stay as they are.
        factor: What it is multiplied with.
        kinds: int64. Edge type ids.
    """
    if column not in edges.columns:
        return edges
    old = edges.columns[column]
    new = np.where(np.isin(edges.kind, kinds), old * factor, old).astype(old.dtype)
    return replace(edges, columns=edges.columns | {column: new})


def connections(edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns source and target of every connection, and the connection of every edge: int64."""
    width = int(edges.source.max(initial=0)) + 1
    code, of = np.unique(edges.target * width + edges.source, return_inverse=True)
    return code % width, code // width, of


def resource(edges: Edges, of: np.ndarray, sources: np.ndarray) -> Edges:
    """Gives every connection another source; what is known of the source's side is left out.

    Args:
        edges: The population.
        of: int64 [n], connection of every edge.
        sources: int64 [connections].
    """
    columns = {k: v for k, v in edges.columns.items() if not k.startswith("efferent_")}
    return Edges(sources[of], edges.target, edges.kind, columns).sorted()


def shuffle_type(
    edges: Edges, types: np.ndarray, seed: int, strata: np.ndarray | None = None,
    loops: bool = True,
) -> Edges:  # fmt: skip
    """Draws new sources of the same type for the connections of every target.

    Every target keeps how many sources of each type (and stratum) it has. Candidates are ranked by
    numbers keyed by seed, candidate and target.

    Args:
        edges: The population.
        types: int64 [source nodes].
        seed: Of the draws.
        strata: int64 [source nodes, target nodes], such as bins of distance; None for one stratum.
        loops: Whether source and target population are one, so that no cell may choose itself.
    """
    source, target, of = connections(edges)
    key, new = rule_key(seed, "shuffle"), np.empty_like(source)
    everyone = np.arange(len(types))
    bounds = np.searchsorted(target, np.unique(target))
    for first, last in zip(bounds, np.append(bounds[1:], len(target)), strict=True):
        node = int(target[first])
        group = types if strata is None else types * (int(strata.max()) + 1) + strata[:, node]
        number, _ = uniforms_array(key, everyone, np.full_like(everyone, node), purpose=0)
        allowed = (everyone != node) | (not loops)
        own = source[first:last]
        for value in np.unique(group[own]):
            places = first + np.flatnonzero(group[own] == value)
            candidates = everyone[(group == value) & allowed]
            ranked = candidates[np.argsort(number[candidates], kind="stable")]
            new[places] = ranked[: len(places)]
    return resource(edges, of, new)


def distance_strata(places: tuple[np.ndarray, np.ndarray], width: float) -> np.ndarray:
    """Bins of the distances of all pairs: int64 [source nodes, target nodes].

    Args:
        places: float64 [nodes, 3] of sources and targets, um.
        width: um of a bin.
    """
    gap = places[0][:, None, :] - places[1][None, :, :]
    return np.floor(np.sqrt((gap**2).sum(axis=2)) / width).astype(np.int64)


def shuffle_degree(
    edges: Edges, source_types: np.ndarray, target_types: np.ndarray, seed: int, swaps: int = 10,
    loops: bool = True,
) -> Edges:  # fmt: skip
    """Swaps the sources of pairs of connections between the same two types.

    Keeps every cell's in-degree and out-degree by type of partner; no connection is made twice
    (Maslov & Sneppen 2002, Science 296:910).

    Args:
        edges: The population.
        source_types: int64 [source nodes].
        target_types: int64 [target nodes].
        seed: Of the draws.
        swaps: Tried per connection.
        loops: As ``shuffle_type``.
    """
    source, target, of = connections(edges)
    source = source.copy()
    width = int(target_types.max(initial=0)) + 1
    group = source_types[source] * width + target_types[target]
    there = set(zip(source.tolist(), target.tolist(), strict=True))
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        if len(members) < 2:
            continue
        draws = rng_for(seed, "shuffle/degree", int(value))
        picks = members[draws.integers(0, len(members), (swaps * len(members), 2))]
        for one, other in picks.tolist():
            a, b, c, d = source[one], target[one], source[other], target[other]
            new = ((int(c), int(b)), (int(a), int(d)))
            if a == c or b == d or new[0] in there or new[1] in there:
                continue
            if loops and (new[0][0] == new[0][1] or new[1][0] == new[1][1]):
                continue
            there -= {(int(a), int(b)), (int(c), int(d))}
            there |= set(new)
            source[one], source[other] = c, a
    return resource(edges, of, source)
