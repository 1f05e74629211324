"""Our cells as neurodamus wants to see them, in place of those from hoc templates."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.cells.biophysical import NeuronCell
from pipeline.simulation.neuron_cells import CellShelf
from pipeline.simulation.plan import Plan
from pipeline.sonata.read import read_json, read_typed_nodes


def dress(cell: NeuronCell) -> NeuronCell:
    """Adds the names of a hoc template to a cell: neurodamus asks NEURON for the owner of a section.

    ``synlist`` and ``synHelperList`` keep the cell's synapses alive.
    """
    names = {"somatic": cell.soma, "axonal": cell.axon, "basal": cell.dend, "apical": cell.apic}
    counts = {"nSecAll": len(cell.all), "nSecAxonalOrig": len(cell.axon)}
    for name, value in (names | counts | {"synlist": [], "synHelperList": []}).items():
        setattr(cell, name, value)
    cell.clear = lambda: None
    return cell


def sections_of_edges(cell: NeuronCell) -> list[Any]:
    """Sections of a cell by the ids that edges have, which are those of its morphology's file."""
    shape = cell.shape
    count = len(shape.whole) or len(shape.sections)
    return [cell.all[shape.section_of(section)] for section in range(count)]


def section_table_class() -> type:
    """Returns what replaces neurodamus' table of a cell's sections.

    neurodamus reads one id from every section; where an axon was replaced, several ids share its stub.
    """
    from neurodamus.core import NeuronWrapper

    class SectionTable:
        """Section references by section id; the attributes are neurodamus'."""

        def __init__(self, cell: Any) -> None:
            sections = sections_of_edges(cell)
            self.isec2sec = [NeuronWrapper.SectionRef(sec=section) for section in sections]
            self.num_sections = len(sections)

    return SectionTable


def manager_class(plan: Plan) -> type:
    """Returns neurodamus' manager of cells for the plan's circuit."""
    from neurodamus.cell_distributor import CellDistributor, CellManagerBase
    from neurodamus.core import NeuronWrapper
    from neurodamus.core.configuration import SimConfig
    from neurodamus.io.cell_readers import split_round_robin
    from neurodamus.metype import METype, METypeManager

    shelf = CellShelf(plan.paths, int(plan.config["run"]["random_seed"]))

    class Cell(METype):
        """One cell; spikes are detected in the middle of the soma, as BioNet does."""

        __slots__ = ()

        def __init__(self, gid: int, info: Any, circuit: Any) -> None:
            super().__init__(gid, None, info.emodel_tpl, None, info)

        def _instantiate_cell(self, gid, etype_path, emodel, morpho_path, meinfos, detailed_axon):
            built = shelf.build(meinfos.etype, int(gid), meinfos.morph_name, emodel)
            self._cellref = self._ccell = dress(built)
            self._synapses = self._cellref.synlist

        def re_init_rng(self, ion_seed: int) -> None:
            """Random channels are keyed by the builder."""

        def connect2target(self, target_pp: Any = None) -> Any:
            soma = self._cellref.soma[0]
            netcon = NeuronWrapper.NetCon(soma(0.5)._ref_v, target_pp, sec=soma)
            netcon.threshold = SimConfig.spike_threshold
            return netcon

    class Manager(CellDistributor):
        """Loads the nodes that our writers make."""

        CellType = Cell

        def load_nodes(self, load_balancer=None, **options):
            name = self._population_name
            paths = plan.paths
            nodes = read_typed_nodes(paths.nodes(name), paths.node_types(name), name)
            files = nodes["dynamics_params"].astype(str)
            known = {file: read_json(paths.emodels / file, "nodes") for file in files.unique()}

            def read(_, gids, stride=1, offset=0, **__):
                ids = split_round_robin(gids, stride, offset, total_cells=len(nodes))
                infos = METypeManager()
                chosen = [known[file] for file in files.to_numpy()[np.asarray(ids, np.int64)]]
                names = nodes["morphology"].to_numpy().astype(str)[np.asarray(ids, np.int64)]
                # No field is meant for them: descriptions go as templates, the population as e-type.
                infos.load_infoNP(ids, names, chosen, None, [name] * len(ids))
                return ids, infos, len(nodes)

            CellManagerBase.load_nodes(
                self, load_balancer, _loader=read, loader_opts=options.get("loader_opts", {}).copy()
            )

    return Manager
