"""BMTK's network, able to read text that stands in the nodes themselves.

SONATA's wider readers (libsonata, SNAP, neurodamus) look for ``model_type`` and ``model_template`` in the
nodes' HDF5 group. h5py hands such text over as bytes, which BioNet 1.2 compares with ``str``: it ends with
"Unrecognized model_type b'biophysical'". Node types tables, where BMTK itself writes both, are not concerned.
"""

from __future__ import annotations

from typing import Any


def network_class() -> type:
    """Returns BioNet's network class with a node adaptor that decodes text."""
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

    return TextNetwork
