"""Edges from touches end to end: values, bytes, interruption, explanation, tables."""

import json
from dataclasses import replace

import libsonata
import numpy as np
import pandas as pd
import pytest
from touch_model import make_touching

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.edges.build import run_edges
from pipeline.edges.touch import stage, write
from pipeline.edges.touch.arrays import AXON, SOMA
from pipeline.edges.touch.calibrate import find_pathways, sample_cells
from pipeline.edges.touch.pruning import KEPT, prune
from pipeline.edges.touch.scene import load_scene
from pipeline.edges.touch.why import why_edge, why_pair
from pipeline.errors import CircuitError, ConfigError, PipelineError
from pipeline.sonata.read import read_edges

POPULATION = "cells__cells__chemical"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A model, its circuit's paths, and its edges as a table."""
    resolved, paths = make_touching(tmp_path_factory.mktemp("touching"))
    count = run_edges(resolved, "local", paths)
    edges = read_edges(paths.edges(POPULATION), POPULATION)
    assert count == {POPULATION: len(edges)}
    return resolved, paths, edges


@pytest.fixture(scope="module")
def found(built):
    """The scene, all its touches and what becomes of them, in one go on one thread."""
    resolved, paths, _ = built
    scene = replace(load_scene(resolved, "local", paths), threads=1)
    touches = scene.touches(np.arange(len(scene.cells)))
    pathways = find_pathways(resolved, scene)
    return scene, touches, prune(touches, scene.cells, pathways, scene.key), pathways


def bytes_of(resolved, paths):
    run_edges(resolved, "local", paths)
    return paths.edges(POPULATION).read_bytes()


def test_edges_are_the_kept_touches(built, found):
    _, touches, reasons, _ = found
    edges = built[2]
    kept = touches[reasons == KEPT]
    kept = kept[np.lexsort((kept["order"], kept["pre"], kept["post"]))]
    assert 0 < len(kept) < len(touches)
    names = {"source_node_id": "pre", "target_node_id": "post",
             "efferent_section_id": "pre_section", "efferent_segment_id": "pre_segment",
             "efferent_segment_offset": "pre_offset", "afferent_section_id": "post_section",
             "afferent_segment_id": "post_segment", "afferent_segment_offset": "post_offset",
             "afferent_section_type": "post_kind"}  # fmt: skip
    for name, field in names.items():
        assert edges[name].to_numpy().tolist() == kept[field].tolist(), name
    assert edges["delay"].to_numpy() == pytest.approx(0.1 + kept["path"] / 300, rel=1e-5)


def axis_point(scene, cell, section, segment, offset):
    """Point, radius and position along the section of a place, by search and in float64."""
    shapes, shape = scene.shapes, scene.cells.morphology[cell]
    rows = np.arange(shapes.first[shape], shapes.first[shape + 1])
    row = next(r for r in rows if shapes.section[r] == section and shapes.segment[r] == segment)
    start, end = (values[row].astype(float) for values in (shapes.start, shapes.end))
    length = np.linalg.norm(end - start)
    point = start + (end - start) * (offset / length if length else 0.0)
    place = scene.cells.rotation[cell].astype(float) @ point + scene.cells.position[cell]
    before = [r for r in rows if shapes.section[r] == section and shapes.segment[r] < segment]
    along = sum(np.linalg.norm(shapes.end[r] - shapes.start[r]) for r in before) + offset
    whole = sum(np.linalg.norm(shapes.end[r] - shapes.start[r])
                for r in rows if shapes.section[r] == section)  # fmt: skip
    return place, float(shapes.radius[row]), along / whole if whole else 0.5


def test_places_are_the_naive_reference(built, found):
    scene, edges = found[0], built[2]
    for edge in edges.to_dict("records"):
        points = {}
        for side, end in (("efferent", "source"), ("afferent", "target")):
            place, radius, pos = axis_point(
                scene, int(edge[f"{end}_node_id"]), edge[f"{side}_section_id"],
                edge[f"{side}_segment_id"], edge[f"{side}_segment_offset"],
            )  # fmt: skip
            centre = np.array([edge[f"{side}_center_{axis}"] for axis in "xyz"])
            surface = np.array([edge[f"{side}_surface_{axis}"] for axis in "xyz"])
            assert centre == pytest.approx(place, abs=1e-3)
            assert np.linalg.norm(surface - centre) == pytest.approx(radius, abs=1e-3)
            assert edge[f"{side}_section_pos"] == pytest.approx(pos, abs=1e-4)
            points[side] = (place, radius)
        if edge["afferent_section_type"] != AXON:
            gap = np.linalg.norm(points["efferent"][0] - points["afferent"][0])
            gap -= points["efferent"][1] + points["afferent"][1]
            assert edge["spine_length"] == pytest.approx(max(gap, 0.0), abs=1e-3)


def test_rules_hold_on_the_edges(built, found):
    scene, edges = found[0], built[2]
    names = np.array(scene.cells.mtypes)[scene.cells.mtype]
    pre, post = (names[edges[f"{end}_node_id"]] for end in ("source", "target"))
    chandelier = pre == "L4_ChC"
    kinds = edges["afferent_section_type"].to_numpy()
    assert chandelier.any() and (kinds[chandelier] == AXON).all()
    assert (post[chandelier] == "L4_PC").all() and not (kinds[~chandelier] == AXON).any()
    assert not ((pre == "L4_PC") & (post == "L4_PC") & (kinds == SOMA)).any()
    near = np.where(post == "L4_BP", 0.5, 2.5)
    assert (edges["spine_length"][~chandelier] <= near[~chandelier] + 1e-4).all()
    assert (edges["source_node_id"] != edges["target_node_id"]).all()


@pytest.mark.parametrize(
    ("block", "memory", "threads"), [(1, 1.0, 1), (40, 0.06, 2), (13, 0.06, 2)]
)
def test_bytes_do_not_depend_on_blocks_memory_or_threads(
    built, tmp_path, monkeypatch, block, memory, threads
):
    wanted = built[1].edges(POPULATION).read_bytes()
    # Ranges of a few edges, so that several are gathered.
    monkeypatch.setattr(write, "_ROW_BYTES", 600 if memory == 1.0 else 2**30 // 400)
    monkeypatch.setattr("pipeline.edges.touch.scene.available_threads", lambda: threads)
    monkeypatch.setattr("pipeline.edges.touch.scene.CHUNK", 5 if block == 13 else 64)
    resolved, paths = make_touching(tmp_path, block=block, memory=memory)
    assert bytes_of(resolved, paths) == wanted


def test_a_killed_run_goes_on(built, tmp_path, monkeypatch):
    resolved, paths = make_touching(tmp_path)
    whole, done = write._write_block, []

    def dies(*args):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(args[2].name)
        whole(*args)

    monkeypatch.setattr(write, "_write_block", dies)
    with pytest.raises(KeyboardInterrupt):
        run_edges(resolved, "local", paths)
    left = sorted(path.name for path in paths.network.glob("*.part-*"))
    assert left == done and not paths.edges(POPULATION).exists()
    (paths.network / left[1]).write_bytes(b"damaged")
    again = []
    monkeypatch.setattr(write, "_write_block", lambda *a: (again.append(a[2].name), whole(*a)))
    assert bytes_of(resolved, paths) == built[1].edges(POPULATION).read_bytes()
    assert len(again) == 6 - 2 and left[1] in again
    assert not list(paths.network.glob("*.part-*"))


def test_blocks_of_another_seed_are_stale(tmp_path, monkeypatch):
    resolved, paths = make_touching(tmp_path)
    monkeypatch.setattr(stage, "remove_parts", lambda path: None)
    first = bytes_of(resolved, paths)
    other, _ = make_touching(tmp_path, seed=4)
    assert bytes_of(other, paths) != first


def test_a_calibrated_table_gives_the_same_edges(built, tmp_path):
    resolved, paths = make_touching(tmp_path)
    table = built[1].analysis("touches_local_calibration").read_bytes()
    (tmp_path / "tables" / "pathways.csv").write_bytes(table)
    text = (
        (tmp_path / "model.yaml")
        .read_text()
        .replace("      sample: 8", "      sample: 8\n      pathways: tables/pathways.csv")
    )
    (tmp_path / "model.yaml").write_text(text)
    resolved = load_model(str(tmp_path / "model.yaml"))
    assert bytes_of(resolved, paths) == built[1].edges(POPULATION).read_bytes()


def test_analysis_tables_add_up(built, found):
    _, paths, edges = built
    scene, touches, reasons, _ = found
    pathways = pd.read_csv(paths.analysis("touches_local_pathways"))
    mtypes = pd.read_csv(paths.analysis("touches_local_mtypes")).set_index("mtype")
    depth = pd.read_csv(paths.analysis("touches_local_depth"))
    assert pathways["touches"].sum() == len(touches)
    assert pathways["synapses"].sum() == mtypes["synapses"].sum() == len(edges)
    assert depth[["excitatory", "inhibitory"]].to_numpy().sum() == len(edges)
    pairs = edges.groupby(["source_node_id", "target_node_id"]).size()
    names = np.array(scene.cells.mtypes)[scene.cells.mtype]
    for row in pathways.to_dict("records"):
        here = [(names[a], names[b]) == (row["pre"], row["post"]) for a, b in pairs.index]
        assert row["connections"] == sum(here)
        if sum(here):
            assert row["synapses_per_connection"] == pytest.approx(pairs[here].mean(), rel=1e-5)
            assert row["synapses_sd"] == pytest.approx(pairs[here].std(ddof=0), rel=1e-4, abs=1e-4)
    dropped = mtypes[[f"dropped_{name}" for name in ("general", "few", "reserve")]].to_numpy()
    assert dropped.sum() == (reasons != KEPT).sum()
    made = mtypes[mtypes["synapses"] > 0]
    places = made[[f"on_{name}" for name in ("soma", "initial_segment", "basal", "apical")]]
    assert places.sum(axis=1).to_numpy() == pytest.approx(1.0)
    at = depth["depth_low"].searchsorted(-edges["afferent_center_y"].to_numpy(), side="right") - 1
    assert (
        np.bincount(at, minlength=len(depth)).tolist()
        == (depth["excitatory"] + depth["inhibitory"]).tolist()
    )


def test_why_agrees_with_the_file(built):
    resolved, paths, edges = built
    for edge in (0, len(edges) // 2, len(edges) - 1):
        row = edges.iloc[edge]
        text = "\n".join(why_edge(resolved, "local", paths, edge))
        assert f"cell {int(row['source_node_id'])}: " in text
        assert f"axon section {int(row['efferent_section_id'])}, segment " in text
        for name in ("conductance", "u_syn", "delay", "depression_time", "decay_time"):
            assert f"  {name} {row[name]:.6g}" in text
        assert "kept" in text and "touch_rules.csv, line" in text


def test_why_says_what_dropped_the_touches_of_a_pair(built, found):
    scene, touches, reasons, _ = found
    lost = touches[reasons != KEPT][0]
    pair = int(lost["pre"]), int(lost["post"])
    text = "\n".join(why_pair(built[0], "local", built[1], *pair))
    assert "dropped" in text
    touched = set(zip(touches["pre"].tolist(), touches["post"].tolist(), strict=True))
    apart = next((0, j) for j in range(1, 40) if (0, j) not in touched)
    assert "0 touches" in "\n".join(why_pair(built[0], "local", built[1], *apart))
    with pytest.raises(CircuitError, match="no cell 99"):
        why_pair(built[0], "local", built[1], 0, 99)


def test_why_sees_that_the_model_changed(built, tmp_path):
    resolved, _ = make_touching(tmp_path, seed=8)
    with pytest.raises(CircuitError, match="is not what the model gives"):
        for edge in range(20):
            why_edge(resolved, "local", built[1], edge)


def test_the_command_line(built, capsys):
    resolved, paths, _ = built
    model = str(resolved.folder / "model.yaml")
    assert main(["why", str(paths.root), "3", "--model", model]) == 0
    assert "edge 3 of" in capsys.readouterr().out
    assert main(["why", str(paths.root), "--model", model]) == 2
    assert main(["why", str(paths.root), "100000", "--model", model]) == 2
    assert "no edge 100000" in capsys.readouterr().err
    assert main(["calibrate", model, "--out", str(resolved.folder / "circuits")]) == 0
    assert "touches/um" in capsys.readouterr().out


def test_other_readers_open_the_file(built):
    path = str(built[1].edges(POPULATION))
    edges = libsonata.EdgeStorage(path).open_population(POPULATION)
    target = int(built[2]["target_node_id"].iloc[0])
    whole = edges.afferent_edges([target])
    assert whole.flat_size == (built[2]["target_node_id"] == target).sum()


def test_the_circuit_passes_the_check(built):
    from pipeline.circuit import run_circuit

    resolved, paths, _ = built
    paths.node_sets.write_text(json.dumps({"cells": {"population": "cells"}}))
    assert run_circuit(resolved, paths) == []


def test_sample_grows_by_adding(found):
    scene = found[0]
    config = scene.config
    samples = []
    for size in (1, 3):
        pruning = config.pruning.model_copy(update={"sample": size})
        samples.append(
            sample_cells(replace(scene, config=config.model_copy(update={"pruning": pruning})))
        )
    assert set(samples[0]) < set(samples[1])


def test_all_problems_of_a_table_at_once(tmp_path):
    resolved, paths = make_touching(tmp_path)
    (tmp_path / "tables" / "pathway_rules.csv").write_text(
        "pre,post,B,n,sd,c,a,n_law,source\n"
        "L4_PC,*,2,,,0.25,0.5,,x\nL9_PC,*,0.1,,,0.25,0.5,,x\nEXC,INH,0.1,3,,,,,x\n"
        "INH,*,0.1,3,,0.2,0.5,,x\n*,*,0.1,,,0.2,,wild,\n"
    )
    with pytest.raises(ConfigError) as error:
        run_edges(resolved, "local", paths)
    text = str(error.value)
    for part in ("csv:2: B is 2", "csv:3: pre 'L9_PC' is no m-type", "csv:4: c is empty",
                 "csv:5: gives n and a", "csv:6: n_law is 'wild'", "csv:6: source is empty"):  # fmt: skip
        assert part in text, text


def test_config_problems_at_once(tmp_path):
    make_touching(tmp_path)
    (tmp_path / "tables" / "touch_rules.csv").write_text("pre,post\n")
    text = (tmp_path / "model.yaml").read_text()
    text = text.replace("synapse_rules.csv", "lost.csv").replace("source: cells", "source: calls")
    (tmp_path / "model.yaml").write_text(text.replace("target: cells", "target: calls"))
    with pytest.raises(ConfigError) as error:
        load_model(str(tmp_path / "model.yaml"))
    text = str(error.value)
    for part in ("columns place, source are missing", "lost.csv", "'calls'"):
        assert part in text, text


def test_missing_morphologies_say_what_to_run(tmp_path):
    resolved, paths = make_touching(tmp_path)
    (paths.components / "morphologies.csv").unlink()
    with pytest.raises(PipelineError, match="sonatina morphologies"):
        run_edges(resolved, "local", paths)


def test_axon_where_there_are_cells(found):
    """Against a search over hull simplices, segment by segment."""
    from scipy.spatial import Delaunay

    scene = found[0]
    position, shapes = scene.cells.position, scene.shapes
    hull = Delaunay(position[:, [0, 2]])
    for cell in range(0, len(position), 7):
        shape = scene.cells.morphology[cell]
        rows = np.arange(shapes.first[shape], shapes.first[shape + 1])
        rows = rows[shapes.kind[rows] == AXON]
        middle = (shapes.start[rows].astype(float) + shapes.end[rows]) / 2
        middle = middle @ scene.cells.rotation[cell].T.astype(float) + position[cell]
        y = middle[:, 1]
        inside = (hull.find_simplex(middle[:, [0, 2]]) >= 0) & (y >= position[:, 1].min())
        inside &= y <= position[:, 1].max()
        assert scene.axon_inside[cell] == pytest.approx(shapes.length[rows[inside]].sum(), rel=1e-5)
    assert (scene.axon_inside < scene.axon).any()


def test_plan_sees_density():
    """Twice the cells in the same place touch four times as often."""
    from pipeline.edges.touch.plan import expected_touches

    rng = np.random.default_rng(1)
    position = rng.uniform(0, 300, (250, 3))
    twice = np.concatenate([position, rng.uniform(0, 300, (250, 3))])
    assert expected_touches(twice) == pytest.approx(4 * expected_touches(position), rel=0.1)
    assert expected_touches(position[:1]) == 0.0


def test_plan_of_the_model(built):
    from pipeline.model_plan import plan_model

    row = plan_model(built[0])["populations"][-1]
    assert row["name"] == POPULATION and row["edges"] > 0 and row["memory"] > 0
