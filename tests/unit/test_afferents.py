"""Afferents that were cut off: counts, places and carried numbers against loops, and the files."""

import csv

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from test_touch_detect import cell, line
from touch_model import TYPES, make_touching

from pipeline.config.load import load_model
from pipeline.edges import afferents
from pipeline.edges.build import run_edges
from pipeline.edges.touch.geometry import join_shapes
from pipeline.errors import ConfigError
from pipeline.philox import uniforms_array
from pipeline.sonata.read import read_edges
from pipeline.sonata.write import write_nodes

POPULATION = "outside__cells__chemical"
SIZES = {"L4_PC": 300, "L4_LBC": 60, "L4_ChC": 20, "L4_BP": 20}
COLUMNS = ["pre", "post", "probability", "synapses_per_connection", "synapses_sd", "source"]


def write_pathways(folder, probability=0.3, **more):
    rows = [{"pre": a, "post": b, "probability": probability, "synapses_per_connection": 4,
             "synapses_sd": 1.5, "source": "test"} | more for a in TYPES for b in TYPES]  # fmt: skip
    with open(folder / "pathways.csv", "w", newline="") as handle:
        table = csv.DictWriter(handle, COLUMNS)
        table.writeheader()
        table.writerows(rows)


def make(folder, probability=0.3):
    """The touching circuit with its local edges and virtual nodes outside."""
    resolved, paths = make_touching(folder)
    run_edges(resolved, "local", paths)
    config = yaml.safe_load((folder / "model.yaml").read_text())
    config["nodes"]["outside"] = {"kind": "imported", "file": "outside.nodes.h5"}
    physiology = config["edges"]["local"]["physiology"]
    config["edges"]["outside"] = {"kind": "afferents", "source": "outside", "target": "cells",
        "less": "local", "pathways": "pathways.csv", "physiology": physiology}  # fmt: skip
    (folder / "model.yaml").write_text(yaml.safe_dump(config))
    write_pathways(folder, probability)
    mtype = np.repeat(list(SIZES), list(SIZES.values()))
    columns = {"mtype": mtype, "etype": [TYPES[name][1] for name in mtype],
               "synapse_class": [TYPES[name][0] for name in mtype]}  # fmt: skip
    for file in (folder / "outside.nodes.h5", paths.nodes("outside")):
        write_nodes(file, "outside", columns, np.zeros(len(mtype), int))
    text = "node_type_id pop_name model_type\n0 outside virtual\n"
    paths.node_types("outside").write_text(text)
    return resolved, paths


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("afferents")
    _, paths = make(folder)
    resolved = load_model(str(folder / "model.yaml"))
    assert run_edges(resolved, "outside", paths)[POPULATION] > 0
    found = afferents.load_afferents(resolved, "outside", paths)
    return found, paths, read_edges(paths.edges(POPULATION), POPULATION), resolved


def test_connections_are_those_of_a_loop(built):
    found, _, edges, _ = built
    local = found.present
    for target in (0, 7, 39):
        post, expected = found.both.mtype[found.sources + target], []
        for source in range(found.sources):
            pre = found.both.mtype[source]
            size = (found.both.mtype[: found.sources] == pre).sum()
            wanted = found.probability[pre, post] - local[target, pre] / size
            if uniforms_array(found.key, source, target, 1)[0] >= wanted:
                continue
            u = float(uniforms_array(found.key, source, target, 2)[0])
            expected += [source] * max(1, round(4 + 1.5 * norm.ppf(u)))
        mine = edges[edges["target_node_id"] == target]
        assert mine["source_node_id"].tolist() == expected and len(expected) > 100


def test_what_the_circuit_has_is_taken_off(built):
    found, paths, edges, resolved = built
    local = read_edges(paths.edges("cells__cells__chemical"), "cells__cells__chemical")
    pairs = local[["source_node_id", "target_node_id"]].drop_duplicates()
    assert found.present.sum() == len(pairs) > 20
    drawn = edges[["source_node_id", "target_node_id"]].drop_duplicates()
    wanted = 0.3 * found.sources * found.targets - len(pairs)
    assert abs(len(drawn) - wanted) < 4 * np.sqrt(wanted)
    alone = resolved.model.edges["outside"].model_copy(update={"less": None})
    resolved.model.edges["outside"], kept = alone, resolved.model.edges["outside"]
    try:
        assert not afferents.load_afferents(resolved, "outside", paths).present.any()
    finally:
        resolved.model.edges["outside"] = kept


def test_synapses_of_a_connection_share_their_numbers_and_lie_on_dendrites(built):
    found, _, edges, _ = built
    shared = ["conductance", "u_syn", "decay_time", "n_rrp_vesicles", "edge_type_id"]
    groups = edges.groupby(["source_node_id", "target_node_id"])
    assert (groups[shared].nunique() == 1).all(axis=None)
    assert groups.size().mean() == pytest.approx(4, abs=0.2)
    assert edges["afferent_section_pos"].between(0, 1).all()
    inhibitory = found.both.inhibitory[edges["source_node_id"]].astype(bool)
    signs = found.synapses.edge_types().set_index("edge_type_id")["synapse_sign"]
    assert ((signs[edges["edge_type_id"]] == "inhibitory").to_numpy() == inhibitory).all()
    kinds = {}
    for shape in range(len(found.shapes.names)):
        rows = slice(found.shapes.first[shape], found.shapes.first[shape + 1])
        kinds |= {
            (shape, s): k
            for s, k in zip(found.shapes.section[rows], found.shapes.kind[rows], strict=True)
        }
    shapes = found.both.morphology[found.sources + edges["target_node_id"].to_numpy()]
    assert {kinds[key] for key in zip(shapes, edges["afferent_section_id"], strict=True)} == {3, 4}


def test_same_bytes_again_and_a_table_of_what_came(built):
    found, paths, edges, resolved = built
    before = paths.edges(POPULATION).read_bytes()
    run_edges(resolved, "outside", paths)
    assert paths.edges(POPULATION).read_bytes() == before
    table = pd.read_csv(paths.analysis("afferents_outside"))
    assert table["cells"].sum() == found.targets
    assert (table["cells"] * table["synapses_added"]).sum() == pytest.approx(len(edges))
    assert table["connections_whole"].to_numpy() == pytest.approx(0.3 * found.sources)


@given(st.lists(st.floats(0, 0.999999), min_size=1, max_size=30), st.integers(2, 9))
def test_places_have_equal_chance_per_um(draws, points):
    shape = cell(
        [(line(0.0, n=4), 1.0)], [(line(9.0, n=points), 2.0), (line(30.0, n=3), 1.0)], soma=4.0
    )
    shapes = join_shapes(["one"], [shape])
    lengths = {
        s: shapes.section_length[s] for s in range(1, 4) if shapes.kind[shapes.section == s][0] >= 3
    }
    section, pos = afferents.dendrite_places(shapes, 0, np.array(draws))
    starts, before = {}, 0.0
    for number, length in lengths.items():
        starts[number], before = before, before + length
    for u, s, x in zip(draws, section, pos, strict=True):
        assert 0 <= x <= 1 and starts[s] + x * lengths[s] == pytest.approx(u * before, abs=0.01)


def test_a_cell_without_dendrites_hears_on_its_soma():
    shapes = join_shapes(["one"], [cell([(line(0.0, n=4), 1.0)], [], soma=4.0)])
    section, pos = afferents.dendrite_places(shapes, 0, np.array([0.1, 0.9]))
    assert section.tolist() == [0, 0] and pos.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"probability": 1.2}, "probability is 1.2"), ({"synapses_per_connection": 0}, "expected 1"),
     ({"source": ""}, "source is empty"), ({"post": "L4_PC"}, "stands twice"),
     ({"synapses_sd": "many"}, "synapses_sd is 'many' .write a number")],
)  # fmt: skip
def test_tables_that_cannot_be_meant(tmp_path, change, message):
    write_pathways(tmp_path, **change)
    with pytest.raises(ConfigError, match=message):
        afferents.read_pathways(tmp_path / "pathways.csv", tuple(TYPES))


def test_ends_and_tables_are_checked(tmp_path):
    resolved, _ = make(tmp_path)
    path = tmp_path / "model.yaml"
    path.write_text(
        path.read_text()
        .replace("less: local", "less: loca")
        .replace("source: outside", "source: cells")
    )
    (tmp_path / "pathways.csv").write_text("pre,post\n")
    with pytest.raises(ConfigError) as caught:
        load_model(str(path))
    text = "\n".join(map(str, caught.value.problems))
    assert "no virtual node population" in text and "loca" in text
    assert "columns probability, synapses_per_connection" in text


def test_the_estimate_is_near(built):
    found, _, edges, resolved = built
    frames = [
        pd.DataFrame({"mtype": np.array(found.both.mtypes)[kinds]})
        for kinds in (found.both.mtype[: found.sources], found.both.mtype[found.sources :])
    ]
    connections, synapses = afferents.plan_afferents(
        *frames, resolved.path(resolved.model.edges["outside"].pathways)
    )
    assert connections == pytest.approx(0.3 * found.sources * found.targets)
    assert synapses == pytest.approx(len(edges), rel=0.05)
