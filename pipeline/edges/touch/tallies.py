"""Counts kept while synapses stream by: pathways, types, depth, degrees; and their tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.edges.touch.arrays import APICAL, AXON, BASAL, SOMA, Cells
from pipeline.edges.touch.pruning import FEW, GENERAL, KEPT, RESERVE, connection_starts
from pipeline.kernels import kernel

DEPTH_BIN = 20.0
"""Width of the depth profile's bins, um."""
DEGREE_BINS = 60

Tally = dict[str, np.ndarray]


def tally_block(
    touches: np.ndarray, reasons: np.ndarray, cells: Cells, low: int, high: int
) -> Tally:
    """Counts of whole connections of the sources ``low .. high - 1``.

    Args:
        touches: TOUCH [n], sorted by (pre, post, order).
        reasons: uint8 [n], from ``prune``.
        cells: The cells.
        low: First source.
        high: One past the last source.

    Returns:
        int64 arrays: by pathway [m, m] pairs_touched, touches, connections, synapses, synapses2 (sum
        of squares per connection); dropped [m, 3] by
        presynaptic type and step; places [m, 5] synapses by type and kind of target segment;
        out_connections, out_synapses, out_touches [high - low] by source.
    """
    m, n = len(cells.mtypes), high - low
    pathways = np.zeros((5, m, m), np.int64)
    dropped, places = np.zeros((m, 4), np.int64), np.zeros((m, 5), np.int64)
    sources = np.zeros((3, n), np.int64)
    _count(
        touches["pre"], touches["post"], touches["post_kind"], reasons, cells.mtype, low,
        pathways, dropped, places, sources,
    )  # fmt: skip
    found = dict(zip(_PATHWAYS, pathways, strict=True)) | dict(zip(_SOURCES, sources, strict=True))
    return found | {"dropped": dropped[:, [GENERAL, FEW, RESERVE]], "places": places}


_PATHWAYS = ("pairs_touched", "touches", "connections", "synapses", "synapses2")
_SOURCES = ("out_connections", "out_synapses", "out_touches")


@kernel()
def _count(pre, post, kind, reasons, mtype, low, pathways, dropped, places, sources):
    t = 0
    while t < len(pre):
        first, kept = t, 0
        a, b, source = mtype[pre[t]], mtype[post[t]], pre[t] - low
        while t < len(pre) and pre[t] == pre[first] and post[t] == post[first]:
            if reasons[t] == KEPT:
                kept += 1
                places[a, kind[t]] += 1
            else:
                dropped[a, reasons[t]] += 1
            t += 1
        pathways[0, a, b] += 1
        pathways[1, a, b] += t - first
        sources[2, source] += t - first
        if kept:
            pathways[2, a, b] += 1
            pathways[3, a, b] += kept
            pathways[4, a, b] += kept * kept
            sources[0, source] += 1
            sources[1, source] += kept


def add_tallies(tallies: Iterable[Tally]) -> Tally:
    """Joins the counts of successive blocks: per source one after another, others summed."""
    total: dict[str, list[np.ndarray]] = {}
    for tally in tallies:
        for name, values in tally.items():
            kinds = total.setdefault(name, [])
            if name.startswith("out_") or not kinds:
                kinds.append(values)
            else:
                kinds[0] = kinds[0] + values
    return {
        name: np.concatenate(v) if name.startswith("out_") else v[0] for name, v in total.items()
    }


class TargetTally:
    """Counts by target, filled while edges are written.

    Args:
        cells: The cells.
    """

    def __init__(self, cells: Cells):
        self._cells = cells
        self.connections = np.zeros(len(cells), np.int64)
        self.synapses = np.zeros(len(cells), np.int64)
        # Dendrites reach above and below the somata; what lies beyond 1.5 mm goes to the last bin.
        y = cells.position[:, 1] if len(cells) else np.zeros(1)
        self._deepest = np.floor((y.min() - 1500.0) / DEPTH_BIN)
        self._bins = int(np.ceil((y.max() + 1500.0) / DEPTH_BIN) - self._deepest) + 1
        self.depth = np.zeros((2, self._bins), np.int64)

    def add(self, touches: np.ndarray, y: np.ndarray) -> None:
        """Adds edges.

        Args:
            touches: TOUCH [n], sorted by (post, pre).
            y: float32 [n]. y of the synapses, um.
        """
        size = len(self._cells)
        post = touches["post"].astype(np.int64)
        self.synapses += np.bincount(post, minlength=size)
        first = connection_starts(touches["pre"], touches["post"])[:-1]
        self.connections += np.bincount(post[first], minlength=size)
        place = np.clip((np.floor(y / DEPTH_BIN) - self._deepest).astype(int), 0, self._bins - 1)
        inhibitory = self._cells.inhibitory[touches["pre"].astype(np.int64)] != 0
        for sign in (0, 1):
            self.depth[sign] += np.bincount(place[inhibitory == sign], minlength=self._bins)

    def depth_frame(self) -> pd.DataFrame:
        """Synapses by depth: low and high (um below y = 0), excitatory, inhibitory."""
        top = -(self._deepest + np.arange(self._bins) + 1) * DEPTH_BIN
        frame = pd.DataFrame(
            {"depth_low": top, "depth_high": top + DEPTH_BIN,
             "excitatory": self.depth[0], "inhibitory": self.depth[1]}
        )  # fmt: skip
        used = np.flatnonzero(self.depth.sum(axis=0))
        frame = frame.iloc[used[0] : used[-1] + 1] if len(used) else frame.iloc[:0]
        return frame.iloc[::-1].reset_index(drop=True)


def pathway_frame(tally: Tally, cells: Cells) -> pd.DataFrame:
    """One row per pathway with a touch.

    Returns:
        pre, post, cells_pre, cells_post, pairs (ordered, without autapses), pairs_touched, touches,
        touches_per_pair, connections, connection_probability (of all pairs), synapses,
        synapses_per_connection, synapses_sd, kept (fraction of touches).
    """
    m = len(cells.mtypes)
    sizes = np.bincount(cells.mtype, minlength=m)
    pairs = np.outer(sizes, sizes) - np.diag(sizes)
    pre, post = np.nonzero(tally["touches"])
    got = {name: tally[name][pre, post] for name in
           ("pairs_touched", "touches", "connections", "synapses", "synapses2")}  # fmt: skip
    made = np.maximum(got["connections"], 1)
    mean = got["synapses"] / made
    sd = np.sqrt(np.maximum(got["synapses2"] / made - mean**2, 0.0))
    names, none = np.array(cells.mtypes, object), got["connections"] == 0
    return pd.DataFrame(
        {
            "pre": names[pre], "post": names[post],
            "cells_pre": sizes[pre], "cells_post": sizes[post], "pairs": pairs[pre, post],
            "pairs_touched": got["pairs_touched"], "touches": got["touches"],
            "touches_per_pair": got["touches"] / got["pairs_touched"],
            "connections": got["connections"],
            "connection_probability": got["connections"] / pairs[pre, post],
            "synapses": got["synapses"],
            "synapses_per_connection": np.where(none, np.nan, mean),
            "synapses_sd": np.where(none, np.nan, sd),
            "kept": got["synapses"] / got["touches"],
        }
    )  # fmt: skip


def mtype_frame(
    tally: Tally, target: TargetTally, cells: Cells, axon: np.ndarray, inside: np.ndarray,
    synapses_per_bouton: float,
) -> pd.DataFrame:  # fmt: skip
    """One row per m-type: densities on the axon, places of synapses made, degrees.

    Args:
        tally: Joined counts of all blocks.
        target: Counts by target.
        cells: The cells.
        axon: float64 [cells], um of axon.
        inside: float64 [cells], um of axon where there are cells; densities are per um of these.
        synapses_per_bouton: What turns synapses into boutons.
    """
    m = len(cells.mtypes)
    sizes = np.bincount(cells.mtype, minlength=m)
    some = np.maximum(sizes, 1)
    length, near = (np.bincount(cells.mtype, values, m) for values in (axon, inside))
    made, touches = tally["synapses"].sum(axis=1), tally["touches"].sum(axis=1)
    per_um = np.where(near > 0, near, np.nan)
    columns = {
        "mtype": np.array(cells.mtypes, object), "cells": sizes, "axon_length": length,
        "axon_inside": near,
        "touches": touches, "synapses": made, "touches_per_um": touches / per_um,
        "synapses_per_um": made / per_um, "boutons_per_um": made / per_um / synapses_per_bouton,
    }  # fmt: skip
    kinds = {"soma": SOMA, "initial_segment": AXON, "basal": BASAL, "apical": APICAL}
    for name, kind in kinds.items():
        columns[f"on_{name}"] = tally["places"][:, kind] / np.where(made > 0, made, np.nan)
    for step, name in enumerate(("general", "few", "reserve")):
        columns[f"dropped_{name}"] = tally["dropped"][:, step]
    degrees = {
        "out_connections": tally["out_connections"], "out_synapses": tally["out_synapses"],
        "in_connections": target.connections, "in_synapses": target.synapses,
    }  # fmt: skip
    for name, values in degrees.items():
        mean = np.bincount(cells.mtype, values, m) / some
        square = np.bincount(cells.mtype, values.astype(float) ** 2, m) / some
        columns[f"{name}_mean"] = mean
        columns[f"{name}_sd"] = np.sqrt(np.maximum(square - mean**2, 0.0))
    return pd.DataFrame(columns)


def degree_frame(tally: Tally, target: TargetTally, cells: Cells) -> pd.DataFrame:
    """Histograms of connections per cell: direction, class, low, high, cells."""
    parts = []
    degrees = {"out": tally["out_connections"], "in": target.connections}
    for direction, values in degrees.items():
        width = max(int(np.ceil((values.max(initial=0) + 1) / DEGREE_BINS)), 1)
        edges = np.arange(DEGREE_BINS + 1) * width
        for sign, name in enumerate(("excitatory", "inhibitory")):
            counts, _ = np.histogram(values[cells.inhibitory == sign], edges)
            parts.append(
                pd.DataFrame({"direction": direction, "class": name, "low": edges[:-1],
                              "high": edges[1:], "cells": counts})
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)
