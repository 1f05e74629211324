"""What a rule is once its config and nodes are turned into arrays; no behaviour of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.edges.rules.laws import Law
from pipeline.edges.rules.listed import Listed
from pipeline.edges.rules.retinotopic_numbers import PROBABILITY
from pipeline.edges.rules.synapse import SynapseLaw
from pipeline.edges.rules.tables import Classes

THINNED, INDEGREE, OUTDEGREE, TOTAL, LISTED, RETINOTOPIC = range(6)


class VisualField(NamedTuple):
    """Units of one rule, sorted by bin, and the numbers of all classes of targets.

    Attributes:
        ids: int64 [units]. Node ids of units that belong to a group.
        units: float64 [units, 4]. x, y (linear degrees), frequency (Hz), tuning angle (degrees).
        groups: int64 [units]. SUSTAINED_ON, SUSTAINED_OFF, TRANSIENT or DUAL.
        starts: int64 [bins + 1]. First unit of each bin, bins by (x, y).
        shape: int64 [2]. Bins along x and y.
        grid: float64 [3]. Lower corner of the first bin, and side of a bin, degrees.
        frequencies: float64 [3, most]. Distinct frequencies of ON, OFF and TRANSIENT units, Hz.
        n_frequencies: int64 [3].
        numbers: float64 [target classes, 9]. Columns PROBABILITY, ON, ... of ``..._numbers``.
        place: float64 [4]. Centre (degrees) and visual degrees per um along both lateral axes.
        options: float64 [4]. Rotation of ellipses, tolerance of dual units (degrees), gap of
            their ellipse, and 1 or -1 for the side of the transient subfield.
        grouped: float64 [source classes, 1]. 1 where units of the class belong to a group.
    """

    ids: np.ndarray
    units: np.ndarray
    groups: np.ndarray
    starts: np.ndarray
    shape: np.ndarray
    grid: np.ndarray
    frequencies: np.ndarray
    n_frequencies: np.ndarray
    numbers: np.ndarray
    place: np.ndarray
    options: np.ndarray
    grouped: np.ndarray

    def chances(self) -> np.ndarray:
        """Probability of input by class: float64 [source classes, target classes]."""
        return self.grouped * self.numbers[None, :, PROBABILITY]


@dataclass(frozen=True)
class Side:
    """One population as the rules see it.

    Attributes:
        frame: One row per node, with all attributes (those of the node types too).
        points: float64 [n, 4]. Lateral, depth, lateral coordinate (um), tuning angle (deg, 0 when
            the nodes have none).
        tuned: Whether nodes have tuning angles.
    """

    frame: pd.DataFrame
    points: np.ndarray
    tuned: bool


@dataclass(frozen=True)
class CompiledRule:
    """One rule, ready to be drawn.

    Attributes:
        name: Its name.
        kind: THINNED, INDEGREE, OUTDEGREE, TOTAL, LISTED or RETINOTOPIC.
        key: uint64 [2]. Philox key.
        source: Classes of the sources.
        target: Classes of the targets.
        law: Connection probability, or relative weight for fixed degrees.
        synapse: Synapse law and edge type columns.
        skip_self: Source and target population are one and autapses are off.
        multapses: Fixed degrees may draw a pair twice.
        count: float64 [source classes or 1, target classes or 1] of fixed degrees and totals.
        listed: Pairs of one_to_one and table rules.
        field: Units and numbers of retinotopic rules.
    """

    name: str
    kind: int
    key: np.ndarray
    source: Classes
    target: Classes
    law: Law
    synapse: SynapseLaw
    skip_self: bool
    multapses: bool = False
    count: np.ndarray | None = None
    listed: Listed | None = None
    field: VisualField | None = None
