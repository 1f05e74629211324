"""The one place that turns GLIF descriptions into NEST nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.cells.glif import Glif
from pipeline.cells.glif_synapses import NEST_MODELS, Port, nest_parameters

WEIGHT_SCALE = 1e3
"""From nA to pA and from uS to nS: what a weight of ours is multiplied by for NEST."""


def create(nest: Any, glif: Glif, count: int, synapse: str, ports: Sequence[Port]) -> Any:
    """Creates GLIF cells in NEST.

    Args:
        nest: The NEST module, its resolution set.
        glif: The cell.
        count: How many of them.
        synapse: psc, psc_double_alpha or cond.
        ports: Receptor ports; ``receptor_type`` counts from 1.

    Returns:
        The NodeCollection.
    """
    return nest.Create(NEST_MODELS[synapse], count, nest_parameters(glif, synapse, ports))


def connect(
    nest: Any, source: Any, target: Any, *, weight: float, delay: float, port: int, **spec: Any
) -> None:
    """Connects nodes to a port.

    Args:
        nest: The NEST module.
        source: NodeCollection of the sources.
        target: NodeCollection of GLIF cells.
        weight: nA, inhibitory negative (psc, psc_double_alpha); uS (cond).
        delay: ms.
        port: From 1 on.
        **spec: Connection rule of NEST; default all to all.
    """
    synapse = {"weight": weight * WEIGHT_SCALE, "delay": delay, "receptor_type": port}
    nest.Connect(source, target, spec or "all_to_all", synapse)
