"""A circuit of cells that touch, opened unchanged by the readers its users have."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import h5py
import numpy as np
import pytest

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/data")

from touch_model import make_touching  # noqa: E402

from pipeline.circuit import run_circuit  # noqa: E402
from pipeline.edges.build import run_edges  # noqa: E402
from pipeline.runtime import write_json  # noqa: E402
from pipeline.sonata.read import read_edges, read_nodes, read_types  # noqa: E402
from pipeline.sonata.validate import check_circuit  # noqa: E402
from pipeline.sonata.write import write_nodes  # noqa: E402

CHEMICAL = "cells__cells__chemical"
KINDS = np.array(["", "soma", "axon", "dend", "apic"])
needs_neurodamus = pytest.mark.skipif(
    importlib.util.find_spec("neurodamus") is None,
    reason="neurodamus is not installed (pip install neurodamus)",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Paths and edges; the nodes carry what the placed cells of the column carry."""
    resolved, paths = make_touching(tmp_path_factory.mktemp("readers"))
    nodes = read_nodes(paths.nodes("cells"), "cells")
    columns = {name: nodes[name].to_numpy() for name in nodes if not name.startswith("node_")}
    count = len(nodes)
    columns["morph_class"] = np.where(nodes["synapse_class"] == "EXC", "PYR", "INT").astype(object)
    columns["model_template"] = np.full(count, "sonatina:cell", object)
    unknown = np.full(count, np.nan, np.float32)
    write_nodes(
        paths.nodes("cells"), "cells", columns, np.zeros(count, int),
        dynamics=dict.fromkeys(("holding_current", "threshold_current"), unknown),
        library=["mtype", "etype", "synapse_class", "morph_class"],
    )  # fmt: skip
    types = "node_type_id model_type model_template\n0 biophysical sonatina:cell\n"
    paths.node_types("cells").write_text(types, encoding="utf-8")
    paths.emodels.mkdir(parents=True)
    write_json(paths.node_sets, {"cells": {"population": "cells"}})
    run_edges(resolved, "local", paths)
    run_circuit(resolved, paths)
    return paths, read_edges(paths.edges(CHEMICAL), CHEMICAL)


def test_our_own_check_finds_nothing(built):
    assert check_circuit(built[0].circuit_config) == []


def test_libsonata_reads_every_attribute(built):
    import libsonata

    paths, ours = built
    config = libsonata.CircuitConfig.from_file(str(paths.circuit_config))
    assert config.config_status == libsonata.CircuitConfigStatus.complete
    nodes = config.node_population("cells")
    assert nodes.enumeration_names == {"mtype", "etype", "synapse_class", "morph_class"}
    known = read_nodes(paths.nodes("cells"), "cells")
    for name in nodes.attribute_names:
        assert list(nodes.get_attribute(name, nodes.select_all())) == known[name].tolist(), name
    edges = config.edge_population(CHEMICAL)
    with h5py.File(paths.edges(CHEMICAL)) as handle:
        assert edges.attribute_names == set(handle[f"edges/{CHEMICAL}/0"])
    assert len(edges.attribute_names) >= 30
    for name in edges.attribute_names:
        values = edges.get_attribute(name, edges.select_all())
        assert np.array_equal(values, ours[name].to_numpy()), name
    for node in range(nodes.size):
        into = edges.afferent_edges([node]).flatten()
        out = edges.efferent_edges([node]).flatten()
        assert into.tolist() == np.flatnonzero(ours["target_node_id"] == node).tolist()
        assert sorted(out) == np.flatnonzero(ours["source_node_id"] == node).tolist()


def test_snap_finds_no_error(built):
    import bluepysnap
    from bluepysnap.circuit_validation import validate

    paths, ours = built
    found = validate(str(paths.circuit_config), skip_slow=False, print_errors=False)
    # Our template stands for a Python builder, so there is no file for SNAP to find.
    assert {(str(e.level).split(".")[-1], "model_template" in e.message) for e in found} <= {
        ("WARNING", True)
    }
    circuit = bluepysnap.Circuit(str(paths.circuit_config))
    table = circuit.edges[CHEMICAL].get(list(range(len(ours))), ["conductance", "syn_type_id"])
    assert np.array_equal(table["conductance"], ours["conductance"])


def test_bmtk_reads_it_and_bionet_loads_its_cells(built):
    paths, ours = built
    node = int(ours["target_node_id"].mode()[0])
    code = f"""
import json
from bmtk.utils.sonata.file import File
root = {str(paths.network)!r}
both = File([root + '/{CHEMICAL}.edges.h5', root + '/cells.nodes.h5'],
            [root + '/{CHEMICAL}.edge_types.csv', root + '/cells.node_types.csv'])
edges = both.edges['{CHEMICAL}']
into = [edge['conductance'] for edge in edges.get_target({node})]
from bmtk.simulator.bionet.config import Config
from bmtk.simulator.bionet.pyfunction_cache import add_cell_model
from neuron import h
from pipeline.simulation.bmtk_nodes import network_class
seen = []
class Cell:
    def __init__(self):
        self.soma = self.all = [h.Section(name='soma', cell=self)]
def load(node, template, parameters):
    seen.append([node['model_type'], node['model_template'], node['morphology'], template])
    return Cell()
add_cell_model(load, 'sonatina:cell', 'biophysical', overwrite=True)
circuit = json.loads(open({str(paths.circuit_config)!r}).read().replace('$BASE_DIR', {str(paths.root)!r}))
config = dict(target_simulator='NEURON', components=circuit['components'],
              networks=dict(nodes=circuit['networks']['nodes'], edges=[]),
              run=dict(tstop=1.0, dt=0.1, dL=None), conditions=dict(celsius=34.0, v_init=-70.0),
              output=dict(output_dir='.'))
network = network_class().from_config(Config.from_dict(config))
network.build_nodes()
print('RESULT', json.dumps([len(into), float(sum(into)), len(network.get_local_cells()), seen[0]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=paths.root
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    count, total, cells, first = json.loads(line.removeprefix("RESULT"))
    mine = ours[ours["target_node_id"] == node]
    nodes = read_nodes(paths.nodes("cells"), "cells")
    assert count == len(mine) > 0
    assert total == pytest.approx(mine["conductance"].sum(), rel=1e-6)
    assert cells == len(nodes)
    assert first == ["biophysical", "sonatina:cell", nodes["morphology"][0], "cell"]


@needs_neurodamus
def test_neurodamus_estimates_it(built, own_process, mechanism_cache):
    paths, _ = built
    arguments = {"root": str(paths.root), "cache": str(mechanism_cache)}
    found = own_process("dry_run", script="nd_runs.py", **arguments)
    assert found["cells"] == len(read_nodes(paths.nodes("cells"), "cells"))


@needs_neurodamus
def test_neurodamus_makes_all_cells_and_synapses(built, own_process, mechanism_cache):
    """Every synapse in the section, at the place and with the numbers of its edge."""
    paths, ours = built
    arguments = {"root": str(paths.root), "cache": str(mechanism_cache)}
    found = own_process("instantiate", script="nd_runs.py", **arguments)
    assert found["cells"] == len(read_nodes(paths.nodes("cells"), "cells"))
    made = sorted(found["synapses"], key=lambda synapse: synapse["edge"])
    assert [synapse["edge"] for synapse in made] == list(range(len(ours)))
    columns = {"source": "source_node_id", "target": "target_node_id", "U": "u_syn",
               "D": "depression_time", "F": "facilitation_time", "N": "n_rrp_vesicles",
               "g": "conductance"}  # fmt: skip
    for key, name in columns.items():
        assert [s[key] for s in made] == pytest.approx(ours[name].to_numpy(float), rel=1e-6), name
    assert [s["kind"] for s in made] == KINDS[ours["afferent_section_type"]].tolist()
    delays = np.array([synapse["delay"] for synapse in made])
    assert np.abs(delays - ours["delay"].to_numpy(float)).max() < 0.025  # to a step, downward
    types = read_types(paths.edge_types(CHEMICAL))
    templates = types.loc[ours["edge_type_id"], "model_template"]
    assert [s["template"] for s in made] == templates.tolist()
    # A soma is a sphere in the file and a section of its length here.
    along = (ours["afferent_section_type"] > 1).to_numpy()
    centres = ours[[f"afferent_center_{axis}" for axis in "xyz"]].to_numpy(float)
    places = np.array([synapse["place"] for synapse in made])
    assert along.sum() > 50
    assert np.abs(places - centres)[along].max() < 1e-3
