"""BMTK's network, able to read text that stands in the nodes themselves, and to build given cells.

SONATA's wider readers (libsonata, SNAP, neurodamus) look for ``model_type`` and ``model_template`` in the
nodes' HDF5 group. h5py hands such text over as bytes, which BioNet 1.2 compares with ``str``: it ends with
"Unrecognized model_type b'biophysical'". Node types tables, where BMTK itself writes both, are not concerned.
BioNet gives every rank each n-th node, however much work its cells are; ``balance`` deals them better.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def network_class(population: str = "", share: np.ndarray | None = None) -> type:
    """Returns BioNet's network class with a node adaptor that decodes text.

    Args:
        population: Whose share is given.
        share: int64, rows of the nodes that this rank builds, ascending; None: every n-th.
    """
    from bmtk.simulator.bionet.bionetwork import BioNetwork
    from bmtk.simulator.bionet.sonata_adaptors import BioNodeAdaptor

    class TextNodeAdaptor(BioNodeAdaptor):
        """Nodes with ``str`` where the file has text."""

        def get_node(self, sonata_node: Any) -> Any:
            texts = sonata_node.group_props
            for name, value in texts.items():
                if isinstance(value, bytes):
                    texts[name] = value.decode()
            return super().get_node(sonata_node)

    class TextNetwork(BioNetwork):
        """BioNet's network with that adaptor."""

        def _register_adaptors(self) -> None:
            super()._register_adaptors()
            self._node_adaptors["sonata"] = TextNodeAdaptor

        def build_nodes(self) -> None:
            """Builds the cells of this rank."""
            if share is not None:
                whole = self._node_populations[population]
                self._node_populations[population] = _Share(whole, share)
            super().build_nodes()
            if share is not None:
                self._node_populations[population] = whole

    return TextNetwork


class _Share:
    """A node population whose slice for a rank, which BioNet asks for, is some rows."""

    def __init__(self, nodes: Any, rows: np.ndarray):
        self._nodes, self._rows = nodes, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nodes, name)

    def __getitem__(self, _: slice) -> Iterator[Any]:
        for row in self._rows.tolist():
            yield from self._nodes[row : row + 1 : 1]
