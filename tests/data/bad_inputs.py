"""Bad inputs by reader: what is wrong with a sound file, and what the message must say.

A case is ``(reader, label): (change, words)``. A change is the new content, ``swap(old, new)`` of a
text, ``edit(function)`` of a JSON tree or ``h5(function)`` of an HDF5 file.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from readers import READERS, npy
from ring import CHEMICAL

Change = str | bytes | Callable[[Path], None]
CASES: dict[tuple[str, str], tuple[Change, tuple[str, ...]]] = {}


def swap(old: str, new: str) -> Callable[[Path], None]:
    """Replaces text that occurs at least once, the first time."""

    def change(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def edit(function: Callable[[dict], object]) -> Callable[[Path], None]:
    """Changes a JSON tree in place."""

    def change(path: Path) -> None:
        tree = json.loads(path.read_text())
        function(tree)
        path.write_text(json.dumps(tree))

    return change


def h5(function: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    """Changes an HDF5 file in place."""

    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            function(file)

    return change


def put(name: str, values: object) -> Callable[[Path], None]:
    """Replaces a dataset."""

    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = values
        file[name].attrs.update(attributes)

    return h5(change)


def drop(name: str) -> Callable[[Path], None]:
    """Removes a dataset or group."""
    return h5(lambda file: file.__delitem__(name))


def cut(path: Path) -> None:
    """Leaves the first half."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder(path: Path) -> None:
    """Puts a folder in its place."""
    path.unlink()
    path.mkdir()


def outside(name: str) -> Callable[[Path], None]:
    """Puts a link that leads out of the model's folder in the place of a file beside it."""

    def change(path: Path) -> None:
        target = path.parent / name
        target.unlink()
        target.symlink_to("/etc/hostname")

    return change


def bad(reader: str, **cases: tuple) -> None:
    """Registers cases of a reader: label = (change, word, word ...)."""
    for label, (change, *words) in cases.items():
        key = (reader, label.replace("_", " "))
        assert reader in READERS and key not in CASES
        CASES[key] = (change, tuple(words))


# ---- YAML: form ----

_DEEP = "[" * 3000
_BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
_WIDE = "a: [" + "1," * 200_001 + "]\n"
for _name in ("model.yaml", "variant.yaml", "e-model.yaml", "reference.yaml"):
    bad(
        _name,
        empty=("", "the file is empty"),
        a_list=("- a\n- b\n", "keys"),
        a_number=("3\n", ""),
        null_byte=("name: a\0b\n", "YAML"),
        not_utf8=(b"title: caf\xe9\n", "not UTF-8"),
        utf16=("schema: 1\n".encode("utf-16"), "UTF-8"),
        open_bracket=("a: [1, 2\n", "YAML"),
        very_deep=(_DEEP, ""),
        alias_bomb=(_BOMB, "too many values"),
        alias_of_itself=("a: &a [*a]\n", ""),
        unknown_alias=("a: *b\n", "YAML"),
        python_object=("a: !!python/object/apply:os.system [echo hit]\n", "not allowed"),
        python_name=("a: !!python/name:os.system\n", "not allowed"),
        own_tag=("a: !vault secret\n", "not allowed"),
        binary_tag=("a: !!binary aGk=\n", "not allowed"),
        two_documents=("a: 1\n---\nb: 2\n", "YAML"),
        key_is_a_list=("[a, b]: 1\n", "plain word"),
        key_twice=("name: a\nname: b\n", "stands twice"),
        merge_key=("a: &a {x: 1}\n<<: *a\n", "unknown key"),
        a_folder=(
            folder,
            "no such model" if _name in ("model.yaml", "variant.yaml") else "cannot read",
        ),
    )
bad("model.yaml", wide=(_WIDE, "too many values"), large=("# x\n" * 2**21 + "a: 1\n", "8 MiB"))

# ---- YAML: content ----

bad(
    "model.yaml",
    nan=(swap("a: 20", "a: .nan"), "edges.wiring", "finite"),
    infinite=(swap("scale: 1 um", "scale: 1e999 um"), "finite"),
    infinite_plain=(swap("b: 0.05", "b: .inf"), "finite"),
    nan_in_an_annotated_number=(swap("value: {value: 1,", "value: {value: .nan,"), "finite"),
    huge_whole_number=(swap("seed: 1", "seed: 1" + "0" * 400), "seed"),
    too_many_digits=(swap("seed: 1", "seed: " + "9" * 5000), "model.yaml:"),
    negative_seed=(swap("seed: 1", "seed: -1"), "seed"),
    fraction_of_a_seed=(swap("seed: 1", "seed: 1.5"), "seed"),
    name_with_a_slash=(swap("name: starter", "name: a/b"), "name"),
    name_with_markup=(swap("name: starter", 'name: "<script>x</script>"'), "name"),
    name_with_a_line_end=(swap("name: starter", 'name: "a\\n"'), "name"),
    name_of_dots=(swap("name: starter", "name: .."), "name"),
    name_too_long=(swap("name: starter", "name: " + "a" * 300), "name"),
    unicode_name=(swap("name: starter", "name: größe"), "name"),
    file_outside=(swap("tables/cells.csv", "../../../etc/passwd"), "leaves the model's folder"),
    link_outside=(outside("tables/cells.csv"), "leaves the model's folder"),
    file_with_null=(swap("tables/cells.csv ", '"tables/c\\0.csv" '), "table"),
    file_is_a_folder=(swap("tables/cells.csv", "tables"), "no such file"),
    folder_is_a_file=(swap("emodels: emodels", "emodels: tables/cells.csv"), "no such folder"),
    duration_without_end=(swap("duration: 100 ms", "duration: .inf"), "finite"),
    dt_of_zero=(swap("dt: 0.025 ms", "dt: 0 ms"), "above 0"),
    unit_of_another_kind=(swap("dt: 0.025 ms", "dt: 0.025 mm"), "unit"),
    unit_twice=(swap("dt: 0.025 ms", "dt: 0.025 ms ms"), "unit"),
    decimal_comma=(swap("dt: 0.025 ms", "dt: '0,025 ms'"), "unit"),
    sexagesimal=(swap("dt: 0.025 ms", "dt: 1:30"), "dt"),
    a_date=(swap("seed: 1", "seed: 2020-01-01"), "seed"),
    true_for_a_seed=(swap("seed: 1", "seed: true"), "seed", "a number belongs here, found True"),
    true_in_a_law=(swap("a: 20", "a: yes"), "edges.wiring", "number"),
    quantity_is_a_list=(swap("dt: 0.025 ms", "dt: [1, 2]"), "quantity"),
)  # fmt: skip
bad(
    "variant.yaml",
    extends_outside_nothing=(swap("../model.yaml", "../../../../nowhere.yaml"), "no such file"),
    extends_a_folder=(swap("../model.yaml", ".."), "no such file"),
    extends_itself=(swap("../model.yaml", "v.yaml"), "circle"),
    extends_null_byte=(swap("../model.yaml", '"../a\\0"'), "no such file"),
    extends_a_list=(swap("../model.yaml", "[../model.yaml]"), "no such file"),
    extends_a_table=(swap("../model.yaml", "../tables/cells.csv"), "cells.csv"),
    set_is_text=(swap("set:\n", "set: x\ndescription: |\n"), "set must map"),
    path_of_dots=(swap("  seed: 3", "  ..: 3"), "no key"),
    path_of_nothing=(swap("  seed: 3", '  "": 3'), "no key"),
    huge_index=(swap("  seed: 3", "  limits[99999999999999999999]: x"), "limits"),
    index_of_a_map=(swap("  seed: 3", "  cells[0]: x"), "cells"),
    nan=(swap("seed: 3", "seed: .nan"), "seed"),
    remove_a_needed_key=(swap("[description]", "[name]"), "name"),
    remove_a_number=(swap("[description]", "[3]"), "no key"),
    remove_a_map=(swap("[description]", "[{a: 1}]"), "no key"),
    name_is_a_map=(swap("name: v", "name: {a: 1}"), "variant"),
    name_outside=(swap("name: v", "name: ../../x"), "variant"),
    title_is_a_list=(swap("title: a variant", "title: [a]"), "title"),
)
bad(
    "e-model.yaml",
    another_name=(swap("name: AIY", "name: AIZ"), "make them equal"),
    no_source=(swap("source:", "sourse:"), "source"),
    nan=(swap("cm:", "cm: .nan #"), "finite"),
    negative_leak=(swap("g_pas:", "g_pas: -1 #"), "g_pas"),
    unknown_sections=(swap("passive:\n  all:", "passive:\n  whole:"), "whole"),
    schema_of_tomorrow=(swap("schema: 1", "schema: 9"), "schema"),
)
bad(
    "reference.yaml",
    no_targets=("schema: 1\ntargets: []\n", "targets"),
    nan=(swap("value: 302", "value: .nan"), "value"),
    negative_tolerance=(swap("tolerance: 0\n", "tolerance: -1\n"), "tolerance"),
    two_tolerances=(swap("tolerance: 0\n", "tolerance: 0\n    tolerance_fraction: 1\n"), "either"),
    no_source=(swap("    source: \"White et al. 1986\"\n", ""), "source"),
    unknown_condition=(swap("nodes.neurons.subset", "nods.neurons"), "no key 'nods'"),
    the_same_twice=(swap("{metric: gait.speed, title: speed",
                         "{metric: circuit.cells, title: number of cells"), "stands twice"),
    unknown_kind=(swap("value: 302", "kind: about\n    value: 302"), "kind"),
)  # fmt: skip

# ---- morphologies ----

_SOMA = "1 1 0 0 0 2 -1\n"
bad(
    "cell.swc",
    empty=("", "swc"),
    only_a_comment=("# nothing\n", "swc"),
    bytes=(bytes(range(256)), "swc"),
    no_soma=("1 3 0 0 0 1 -1\n2 3 9 0 0 1 1\n", "soma"),
    nan=(swap("20 5 0", "nan 5 0"), "swc"),
    infinite=(swap("20 5 0", "inf 5 0"), "swc"),
    ten_metres_away=(swap("20 5 0", "2e30 5 0"), "at most"),
    negative_radius=(swap("20 5 0 1", "20 5 0 -1"), "diameter"),
    parent_behind=(swap("0 1 2\n4", "0 1 9\n4"), "swc"),
    parent_of_itself=(swap("0 1 2\n4", "0 1 3\n4"), "swc"),
    a_circle=(_SOMA + "2 3 2 0 0 1 3\n3 3 9 0 0 1 2\n", "swc"),
    huge_id=(swap("3 3 10", "99999999999999999999 3 10"), "swc"),
    decimal_comma=(swap("20 5 0", "20,5 5 0"), "swc"),
    six_columns=(swap("20 5 0 1 3", "20 5 0 1"), "swc"),
    two_somata=(_SOMA + "2 1 9 9 9 2 -1\n3 3 3 0 0 1 1\n", "soma"),
    type_99=(swap("3 3 10", "3 99 10"), "swc"),
)
bad(
    "cell.asc",
    empty=("", "asc"),
    open_bracket=(swap("1) (60 10 0 1)", "1) (60 10 0 1"), "asc"),
    closed_too_often=(swap("\n((Dendrite)", ")\n((Dendrite)"), "asc"),
    two_somata=(swap("((Dendrite)", '("CellBody" (CellBody) (0 0 0 1) (1 1 1 1))\n((Dendrite)'),
                "asc"),
    three_numbers=(swap("(20 0 0 2)", "(20 0)"), "asc"),
    text_for_a_number=(swap("(20 0 0 2)", "(20 x 0 2)"), "asc"),
    bytes=(bytes(range(256)) * 4, "asc"),
    an_swc=(_SOMA, "asc"),
)  # fmt: skip
bad(
    "cell.h5",
    empty=(b"", "cell.h5"),
    text=("not HDF5", "cell.h5"),
    broken_off=(cut, "cell.h5"),
    no_points=(drop("points"), "points"),
    no_structure=(drop("structure"), "structure"),
    points_of_three=(put("points", np.zeros((8, 3))), "/points"),
    points_of_text=(put("points", np.array([["a"] * 4], "S1")), "/points"),
    no_point=(put("points", np.zeros((0, 4))), "cell.h5"),
    section_beyond_the_points=(put("structure", [[0, 1, -1], [900, 3, 0]]), "begins at point 900"),
    parent_that_comes_later=(put("structure", [[0, 1, -1], [2, 3, 5]]), "on section 5"),
    parent_of_itself=(put("structure", [[0, 1, -1], [2, 3, 1]]), "on section 1"),
    negative_offset=(put("structure", [[0, 1, -1], [-2, 3, 0]]), "begins at point -2"),
    sections_out_of_order=(put("structure", [[0, 1, -1], [4, 3, 0], [2, 3, 0]]), "points in order"),
    structure_of_numbers=(put("structure", np.zeros((2, 3))), "/structure"),
    nan=(put("points", np.full((8, 4), np.nan)), "cell.h5"),
    unknown_type=(put("structure", [[0, 1, -1], [2, 77, 0]]), "cell.h5"),
)
bad(
    "library.swc",
    empty=("", "swc"),
    no_neurite=(_SOMA, "no neurite"),
    nan=(swap("20 5 0", "nan 5 0"), "swc"),
    ten_metres_away=(swap("20 5 0", "2e30 5 0"), "at most"),
)
bad(
    "distributions.json",
    empty=("", "distributions"),
    a_list=("[]", "distributions"),
    no_cells=("{}", "distributions"),
    cells_are_text=('{"cells": "all"}', "distributions"),
    no_trees=(edit(lambda t: t["cells"][0].pop("trees")), "distributions"),
    tree_without_bars=(edit(lambda t: t["cells"][0]["trees"][0].pop("bars")), "bars"),
    no_bar=(edit(lambda t: t["cells"][0]["trees"][0].update(bars=[])), "bars"),
    bar_of_text=(edit(lambda t: t["cells"][0]["trees"][0]["bars"].append(["x"] * 6)), "bars"),
    unknown_tree=(edit(lambda t: t["cells"][0]["trees"][0].update(type="root")), "type"),
    negative_soma=(edit(lambda t: t["cells"][0].update(soma_radius=-1)), "soma_radius"),
)

# ---- NMODL ----

bad(
    "channel.mod",
    empty=("", "no NEURON block"),
    only_a_comment=("COMMENT NEURON { SUFFIX a }\n", "no NEURON block"),
    block_left_open=("NEURON {\n SUFFIX a\n", "does not end"),
    a_name_of_NEURON=(swap("SUFFIX leak", "SUFFIX hh"), "built into NEURON"),
    bytes=(bytes(range(128, 256)) * 5, "no NEURON block"),
    a_folder=(folder, "cannot be read"),
)
bad("channel.mod", the_same_twice=(
    lambda path: path.with_name("other.mod").write_text(path.read_text()), "declares 'leak'"
))  # fmt: skip

# ---- SONATA ----

_N, _E = "nodes/neurons", f"edges/{CHEMICAL}"
for _name, _root, _ids in (("nodes.h5", _N, "node_type_id"), ("edges.h5", _E, "edge_type_id")):
    for _who in (_name, f"checked {_name}"):
        bad(
            _who,
            empty=(b"", "HDF5"),
            text=("magic", "HDF5"),
            broken_off=(cut, "h5"),
            no_population=(drop(_root), "population"),
            no_group=(drop(f"{_root}/0"), "group" if _who == _name else "missing"),
            group_is_data=(put(f"{_root}/0", np.zeros(3)), "group" if _who == _name else "dataset"),
            no_types=(drop(f"{_root}/{_ids}"), _ids),
            types_are_text=(put(f"{_root}/{_ids}", np.array([b"a"] * 8)), "expected"),
            too_few_types=(put(f"{_root}/{_ids}", np.zeros(2, int)), "rows"),
            types_of_two_axes=(put(f"{_root}/{_ids}", np.zeros((8, 2), int)), _ids),
        )
bad(
    "nodes.h5",
    short_column=(put(f"{_N}/0/x", np.zeros(2)), "rows"),
    index_elsewhere=(put(f"{_N}/node_group_index", np.arange(8)[::-1]), "not supported"),
)
bad("checked nodes.h5", ids_twice=(put(f"{_N}/node_id", np.zeros(8, int)), "more than once"))
bad(
    "edges.h5",
    no_sources=(drop(f"{_E}/source_node_id"), "source_node_id"),
    column_is_gone=(drop(f"{_E}/0/syn_weight"), "syn_weight"),
    index_beyond_the_edges=(
        put(f"{_E}/indices/target_to_source/range_to_edge_id", np.full((16, 2), 2**40)), "leads"),
    index_of_one_axis=(
        put(f"{_E}/indices/target_to_source/node_id_to_ranges", np.zeros(8, int)), "axes"),
)  # fmt: skip
bad(
    "checked edges.h5",
    edges_to_nowhere=(put(f"{_E}/target_node_id", np.full(16, 900)), "900"),
    nan_weights=(put(f"{_E}/0/syn_weight", np.full(16, np.nan)), "NaN"),
    negative_delay=(put(f"{_E}/0/delay", np.full(16, -1.0)), "negative"),
    place_beyond_the_end=(put(f"{_E}/0/afferent_section_pos", np.full(16, 1.5)), "0 to 1"),
)
bad(
    "diffed edges.h5",
    ids_beyond_memory=(put(f"{_E}/target_node_id", np.full(16, 2**40)), "does not exist"),
    negative_ids=(put(f"{_E}/source_node_id", np.full(16, -3)), "does not exist"),
    short_column=(put(f"{_E}/0/delay", np.zeros(3)), "rows"),
)
bad(
    "node_types.csv",
    empty=("", "types table"),
    no_ids=("a b\n1 2\n", "node_type_id"),
    ids_twice=("node_type_id model_type\n100 x\n100 y\n101 z\n", "stands twice"),
    a_type_is_missing=("node_type_id model_type\n100 x\n", "no node type 101"),
    ids_are_text=("node_type_id model_type\na x\nb y\n", "no node type"),
    not_utf8=(b"node_type_id model_type\n100 \xff\n", "types table"),
    ragged=("node_type_id a\n100 x y z\n101\n", "types"),
)
bad(
    "circuit_config.json",
    empty=("", "is not JSON"),
    nan=('{"networks": NaN}', "NaN is no number"),
    very_deep=("[" * 100_000, "is not JSON"),
    a_list=("[]", "JSON object"),
    not_utf8=(b'{"networks": "\xff"}', "is not JSON"),
    no_networks=("{}", "networks"),
    no_such_file=(swap("neurons.nodes.h5", "nothing.h5"), "does not exist"),
    unknown_variable=(swap("$BASE_DIR/network", "$WHERE/network"), "$WHERE"),
    a_file_of_numbers=(
        edit(lambda t: t["networks"]["nodes"][0].update(nodes_file=3)),
        "nodes_file",
    ),
    leads_to_itself=('{"network": "circuit_config.json"}', "leads back to itself"),
)
bad(
    "checked node_sets.json",
    not_JSON=("{", "is not JSON"),
    a_list=("[]", "object"),
    unknown_set=('{"a": ["b"]}', "unknown sets"),
    unknown_population=('{"a": {"population": "axons"}}', "unknown populations"),
    unknown_attribute=('{"a": {"colour": "red"}}', "colour"),
    node_beyond=('{"a": {"population": "neurons", "node_id": [900]}}', "900"),
    a_number=('{"a": 3}', "neither"),
)
bad(
    "node_sets.json",
    unknown=("{}", "no node set 'even'"),
    node_of_text=('{"even": {"population": "neurons", "node_id": ["x"]}}', "does not exist"),
    node_beyond=('{"even": {"population": "neurons", "node_id": [900]}}', "900"),
    unknown_attribute=('{"even": {"population": "neurons", "colour": 1}}', "colour"),
)
for _name in ("spikes.h5", "spikes.h5 in blocks"):
    bad(
        _name,
        text=("0 1.5\n", "HDF5"),
        broken_off=(cut, "h5"),
        no_population=(drop("spikes/neurons"), "population"),
        no_times=(drop("spikes/neurons/timestamps"), "timestamps"),
        fewer_ids=(put("spikes/neurons/node_ids", np.zeros(1, int)), "rows"),
        times_are_text=(put("spikes/neurons/timestamps", np.array([b"a"] * 3)), "numbers"),
        ids_are_fractions=(put("spikes/neurons/node_ids", np.full(3, 0.5)), "numbers"),
    )
_R = "report/neurons"
bad(
    "report.h5",
    text=("0 1.5\n", "HDF5"),
    broken_off=(cut, "h5"),
    no_data=(drop(f"{_R}/data"), "data"),
    no_mapping=(drop(f"{_R}/mapping"), "mapping"),
    data_of_one_axis=(put(f"{_R}/data", np.zeros(4)), "axes"),
    other_elements=(put(f"{_R}/mapping/element_ids", np.zeros(9, int)), "rows"),
    pointers_that_fall=(put(f"{_R}/mapping/index_pointers", [3, 2, 1, 0]), "index_pointers"),
    time_of_two=(put(f"{_R}/mapping/time", [0.0, 1.0]), "rows"),
    step_of_nothing=(put(f"{_R}/mapping/time", [0.0, 1.0, 0.0]), "step"),
    step_of_nan=(put(f"{_R}/mapping/time", [0.0, 1.0, np.nan]), "step"),
)
for _name, _module in (("simulation config", "IClamp"), ("simulation config (BBP)", "linear")):
    bad(
        _name,
        not_JSON=("{run", "is not JSON"),
        a_list=("[]", "JSON object"),
        no_run=(edit(lambda t: t.pop("run")), "run.tstop"),
        tstop_is_text=(edit(lambda t: t["run"].update(tstop="long")), "run.tstop"),
        tstop_below_zero=(edit(lambda t: t["run"].update(tstop=-5)), "above 0"),
        dt_of_zero=(edit(lambda t: t["run"].update(dt=0)), "run.dt"),
        nan=(swap('"dt": 0.1', '"dt": NaN'), "NaN is no number"),
        celsius_is_true=(edit(lambda t: t["conditions"].update(celsius=True)), "celsius"),
        no_circuit=(edit(lambda t: t.update(network="nothing.json")), "nothing.json"),
        names_itself=(edit(lambda t: t.update(network="simulation.json")), "itself"),
        variables_in_a_circle=(edit(lambda t: t.update(manifest={"$A": "$B", "$B": "$A"})), "each"),
        manifest_is_a_list=(edit(lambda t: t.update(manifest=[1])), "manifest"),
        inputs_are_a_list=(edit(lambda t: t.update(inputs=[1])), "inputs"),
        an_input_is_text=(edit(lambda t: t["inputs"].update(step="on")), "inputs.step"),
        delay_is_null=(edit(lambda t: t["inputs"]["step"].update(delay=None)), "delay"),
        unknown_module=(edit(lambda t: t["inputs"]["step"].update(module="Laser")), "Laser"),
        unknown_key=(edit(lambda t: t["run"].update(tsopt=1)), "tsopt"),
        reports_are_null=(edit(lambda t: t.update(reports=None)), "reports"),
        networks_are_text=(edit(lambda t: t.update(networks={"nodes": "all"})), "networks.nodes"),
    )

# ---- movies, recordings, meshes ----

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
bad(
    "movie.npy",
    empty=(b"", "movie.npy"),
    a_picture=(_PNG, "numpy.save"),
    a_video=(b"\0\0\0\x18ftypmp42" + bytes(60), "numpy.save"),
    a_GIF=(b"GIF89a" + bytes(40), "numpy.save"),
    broken_off=(cut, "movie.npy"),
    two_axes=(npy(np.zeros((4, 6), "f4")), "expected [frames, rows, columns]"),
    colours=(npy(np.zeros((12, 4, 6, 3), "u1")), "expected [frames, rows, columns]"),
    objects=(npy(np.array([[[None]]], object)), "movie.npy"),
    whole_numbers=(npy(np.zeros((12, 4, 6), int)), "holds int64"),
    no_frames=(npy(np.zeros((0, 4, 6), "f4")), "shape"),
    one_pixel=(npy(np.zeros((12, 1, 1), "f4")), "shape"),
    nan=(npy(np.full((12, 4, 6), np.nan, "f4")), "no contrast"),
    too_bright=(npy(np.full((12, 4, 6), 2, "f4")), "no contrast"),
    too_short=(npy(np.zeros((3, 4, 6), "f4")), "has 3 frames"),
    several_arrays=(
        lambda path: np.savez(path.open("wb"), a=np.zeros(3), b=np.zeros(3)),
        "several",
    ),
    a_header_of_code=(b"\x93NUMPY\x01\0\x20\0__import__('os').system('x')#\n   ", "movie.npy"),
)
bad(
    "wave.csv",
    no_times=(swap("time,", "clock,"), "no column 'time'"),
    uneven=(swap("0.3,", "0.35,"), "uneven"),
    backwards=("time,value\n2,0\n1,0\n0,0\n", "row 2"),
    nan=(swap("0.3,-65", "0.3,nan"), "finite"),
    one_sample=("time,value\n0,1\n", "uneven"),
)
bad(
    "wave.ibw",
    empty=(b"", "wave.ibw"),
    text=("IGOR\nWAVES x\n", "wave.ibw"),
    broken_off=(cut, "breaks off"),
    another_version=(lambda p: p.write_bytes(b"\0\x09" + p.read_bytes()[2:]), "Igor"),
    endless_notes=(lambda p: p.write_bytes(p.read_bytes()[:12] + b"\x7f" + p.read_bytes()[13:]),
                   "breaks off"),
    amperes=(lambda p: p.write_bytes(p.read_bytes()[:212] + b"A" + p.read_bytes()[213:]), "'A"),
)  # fmt: skip
bad(
    "sweeps.csv",
    another_protocol=(swap("Step", "Stop"), "no sweep"),
    a_file_is_missing=(swap("v.csv", "w.csv"), "no file"),
    unknown_kind=(swap("v.csv", "v.abf"), "unknown kind"),
    outside=(swap("v.csv", "../../../../etc/passwd.csv"), "sweeps.csv:2"),
)
bad(
    "recording.json",
    not_JSON=("x", "JSON"),
    a_list=("[]", "trace_array"),
    no_labels=(edit(lambda t: t.pop("labeled")), "labeled"),
    times_fall=(edit(lambda t: t.update(timestamp_confocal=[1.0, 0.5, 0.0])), "do not rise"),
    other_lengths=(edit(lambda t: t.update(timestamp_confocal=[0, 1, 2, 3, 4])), "times"),
    label_beyond=(edit(lambda t: t["labeled"].update({"9": {"label": "x"}})), "trace 9"),
    label_is_text=(edit(lambda t: t.update(labeled={"a": {"label": "x"}})), "cannot be read"),
    ragged=(edit(lambda t: t.update(trace_array=[[1], [1, 2]])), "cannot be read"),
)
bad(
    "body.mesh",
    empty=("", "no section"),
    no_tetrahedra=(swap("Tetrahedra", "Triangles"), "Tetrahedra"),
    count_is_text=(swap("Vertices\n5", "Vertices\nfive"), "Vertices"),
    more_than_there_are=(swap("Vertices\n5", "Vertices\n500"), "Vertices"),
    endless=(swap("Vertices\n5", "Vertices\n" + "9" * 18), "Vertices"),
    negative=(swap("Vertices\n5", "Vertices\n-5"), "Vertices"),
    nan=(swap("1 1 1 1\n", "nan 1 1 1\n"), "Vertices"),
    vertex_beyond=(swap("2 3 4 5 1", "2 3 4 9 1"), "tetrahedron 2"),
    vertex_of_a_fraction=(swap("2 3 4 5 1", "2 3 4 4.5 1"), "tetrahedron 2"),
    ends_early=("Vertices", "Vertices"),
    bytes=(bytes(range(256)), "no section"),
)

# ---- parameters of cells ----

for _name in ("fit.json", "nest.json", "neuron_config.json"):
    bad(
        _name,
        empty=("", "JSON"),
        a_list=("[]", ""),
        not_utf8=(b"{\xff}", ""),
        very_deep=("[" * 100_000, ""),
        a_folder=(folder, "read"),
    )
bad(
    "fit.json",
    two_passives=(edit(lambda t: t["passive"].append(t["passive"][0])), "passive"),
    negative_conductance=(edit(lambda t: t["genome"][1].update(value=-1)), "below 0"),
    unknown_section=(edit(lambda t: t["genome"][1].update(section="root")), "section"),
    the_same_twice=(edit(lambda t: t["genome"].append(t["genome"][1])), "given twice"),
)
bad(
    "nest.json",
    no_capacitance=(edit(lambda t: t.pop("C_m")), "C_m"),
    text=(edit(lambda t: t.update(g="x")), "expected"),
    zero=(edit(lambda t: t.update(g=0)), "above 0"),
    reset_above=(edit(lambda t: t.update(V_reset=-10.0)), "reset"),
    lists_of_two_lengths=(edit(lambda t: t.update(asc_decay=[0.1])), "asc_decay"),
    flag_of_text=(edit(lambda t: t.update(after_spike_currents="yes")), "true or false"),
)
bad(
    "neuron_config.json",
    no_resistance=(edit(lambda t: t.pop("R_input")), "R_input"),
    no_rule=(edit(lambda t: t.pop("voltage_reset_method")), "voltage_reset_method"),
    unknown_rule=(edit(lambda t: t["AScurrent_dynamics_method"].update(name=3)), "AScurrent"),
    null_time=(edit(lambda t: t.update(dt=None)), "dt"),
)

# ---- tables: what every one of them refuses ----

TABLES = [name for name in READERS if name.endswith(".csv") and name not in (
    "node_types.csv", "checked node_types.csv", "units.csv", "wave.csv"
)]  # fmt: skip


def _ragged(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1] + ",more,and more", *lines[2:]]) + "\n")


def _renamed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text("zzz" + text, encoding="utf-8")


def _latin(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\xe9\n")


_WHOLE = ("connectome.csv", "weights.csv", "target_correlation.csv")
"""Tables that compare their whole header."""
for _name in TABLES:
    bad(
        _name,
        empty=("", "the table is empty"),
        ragged=(_ragged, "fields"),
        not_utf8=(_latin, "not UTF-8"),
    )
    if _name != "trials.csv":  # whose first column nobody needs
        bad(_name, first_column_renamed=(_renamed, "header" if _name in _WHOLE else "olumn"))

# ---- tables: content ----

bad(
    "glif.csv",
    text=(swap("0.0701516", "much"), "C is 'much'"),
    infinite=(swap("0.0701516", "inf"), "finite"),
    negative=(swap("0.0701516", "-1"), "above 0"),
    twice=(swap("\ne4,", "\ne2,"), "stands twice"),
    empty_cell=(swap("0.0701516", ""), "is empty"),
)
bad(
    "shapes.csv",
    nan=(swap("12.8", "nan"), "unusable number"),
    negative=(swap("12.8", "-12.8"), "unusable number"),
    text=(swap("12.8", "wide"), "unusable number"),
)
bad(
    "connectome.csv",
    infinite=(swap("chemical,1", "chemical,inf"), "count"),
    negative=(swap("chemical,1", "chemical,-1"), "count"),
    unknown_kind=(swap("chemical", "magic"), "kind"),
)
bad(
    "weights.csv",
    nan=(swap("0.5", "nan"), "weight"),
    a_contact_too_many=(swap("b,a,electrical", "b,b,electrical"), "electrical"),
    fraction_of_a_contact=(swap("chemical,1", "chemical,1.5"), "contact"),
    negative_conductance=(swap("0.001", "-0.001"), "weight"),
)
bad(
    "cells.csv",
    twice=(swap("\nb,", "\na,"), "stands twice"),
    no_name=(swap("\nb,", "\n,"), "empty"),
    flag_of_two=(swap("hh,0", "hh,2"), "0 or 1"),
)
bad(
    "points.csv",
    nan=(swap("0,1,2", "nan,1,2"), "finite"),
    text=(swap("1e2", "1,e2".replace(",", "_")), "size"),
    no_type=(swap("2,a,", "2,,"), "empty"),
    no_row=("x,y,z,kind,size\n", "no cells"),
)
bad(
    "lgn_filters.csv",
    unknown_model=(swap(",ON,", ",UP,"), "model"),
    peaks_that_fall=(swap("56.525575763,137.440933121", "137,56"), "rise"),
    text=(swap("1.000030934", "one"), "weight_1"),
)
bad(
    "populations.csv",
    fraction_of_a_cell=(swap(",999,", ",999.5,"), "whole number"),
    negative=(swap(",999,", ",-999,"), "whole number"),
    depth_that_falls=(swap("50,100", "100,50"), "rise"),
    twice=(swap("e23Cux2", "i1Htr3a"), "stands twice"),
    one_depth=(swap("50,100", ",100"), "depth"),
)
bad(
    "placement_rules.csv",
    unknown_kind=(swap(",below,", ",above,"), "kind"),
    unknown_layer=(swap(",L1,1,", ",L9,1,"), "L9"),
    fraction_above_1=(swap(",L1,1,", ",L1,7,"), "0 to 1"),
    unknown_neurite=(swap(",dendrite,", ",spine,"), "neurite"),
)
bad(
    "trials.csv",
    no_trials=("trial,condition,start,stop\n", "no trials"),
    they_overlap=(swap("1,b,3000", "1,b,2000"), "before the trial before"),
    stop_before_start=(swap("0,a,0,3000", "0,a,3000,0"), "no rising times"),
    direction_is_text=(swap("3000,0,500", "3000,up,500"), "direction"),
    grey_is_nan=(swap("3000,0,500", "3000,0,nan"), "grey"),
)
bad(
    "recorded.csv",
    unknown_quantity=(swap("spontaneous", "loud"), "quantity"),
    quantiles_fall=(swap("0.0137812", "99"), "fall"),
    negative_number=(swap("503", "-503"), "n is"),
    text=(swap("1.52508", "many"), "mean"),
)
bad(
    "units.csv",
    empty=("", "units"),
    no_column=(swap("OSI", "OSE"), "no column 'OSI'"),
    unknown_types=(lambda p: p.write_text(p.read_text().replace("L2/3", "L9")), "no cell_type"),
    text=(swap('Exc" 1', 'Exc" many'), "Spont_Rate"),
    infinite=(swap('Exc" 1', 'Exc" inf'), "Spont_Rate"),
)
bad(
    "target_correlation.csv",
    above_1=(swap("0.987825", "1.5"), "-1 to 1"),
    text=(swap("0.987825", "high"), "-1 to 1"),
    twice=(swap("AVAL,RIML", "AVAR,AVAL"), "stands twice"),
)
bad(
    "trained target.csv",
    above_1=(swap("0.987825", "1.5"), "-1 to 1"),
    nan=(swap("0.987825", ""), "-1 to 1"),
    other_cells=("a,b,r\nx,y,0.5\n", "no pair"),
)
bad(
    "expected_changes.csv",
    unknown_metric=(swap("fano", "fame"), "metric"),
    unknown_direction=(swap("down", "left"), "up or down"),
)
bad(
    "psp_targets.csv",
    infinite=(swap("-76.6", "inf"), "hold"),
    negative_sd=(swap("0.58,0.1", "0.58,-0.1"), "psp_sd"),
    no_holding=(swap("-76.6", ""), "hold"),
    flag_of_text=(swap(",6,9,0,", ",6,9,perhaps,"), "ttx"),
)
bad("etype_emodels.csv", unknown_emodel=(swap("cADpyr_L4PC", "cADpyr_L4"), "no e-model"))
bad(
    "judged pairs.csv",
    infinite=(swap("-0.05", "inf"), "current"),
    perhaps=(swap(",1,-0.05", ",perhaps,-0.05"), "accepted"),
)
bad(
    "exemplars.csv",
    unknown_layer=(swap("L1_DAC,L1_DAC", "L9_DAC,L1_DAC"), "layer"),
    unknown_apical=(swap("keep", "perhaps"), "apical"),
    twice=(swap("\nL1_DLAC,", "\nL1_DAC,"), "stands twice"),
)
bad(
    "catalogue.csv",
    no_file=(swap("\na,", "\nb,"), "no file"),
    no_licence=(swap("CC BY 4.0", ""), "licence"),
    length_of_text=(swap("120", "long"), "len_axon_um"),
    length_of_nan=(swap("120", "nan"), "len_axon_um"),
)
bad(
    "fit parameters.csv",
    bounds_fall=(swap("0,0.1,", "0.1,0,"), "not below"),
    bounds_and_value=(swap("0,0.1,\n", "0,0.1,3\n"), "either value"),
    unknown_list=(swap("soma axon", "soma axxon"), "axxon"),
    text=(swap("0,0.1,", "0,much,"), "upper"),
    nothing_free=(swap("0,0.1,\n", ",,3\n"), "bounds"),
)
bad(
    "fit protocols.csv",
    unknown_kind=(swap(",step,", ",stop,"), "kind"),
    pulse_outside=(swap("100,200,400", "100,900,400"), "within 0 and total"),
    no_amplitude=(swap(",,0.1,", ",,,"), "amplitude"),
    infinite=(swap("400", "inf"), "total"),
)
bad(
    "fit targets.csv",
    zero_sd=(swap("3,1\n", "3,0\n"), "sd"),
    text=(swap("3,1\n", "3,few\n"), "sd"),
    another_protocol=(swap("Step", "Stop"), "no target"),
)
bad(
    "fit recordings.csv",
    unknown_rule=(swap("path_distance", "near"), "rule"),
    negative=(swap("100", "-100"), "distance"),
    no_distance=(swap("100", ""), "distance"),
)
bad(
    "glif_sources.csv",
    zero=(swap("8008.1", "0"), "above 0"),
    infinite=(swap("8008.1", "inf"), "above 0"),
)
bad(
    "rule table.csv",
    above_1=(swap("0.123", "1.23"), "B is 1.23"),
    text=(swap("0.123", "some"), "B is 'some'"),
    no_source=(lambda p: p.write_text("pre,post,B,n,source\na,b,0.1,,\n"), "source is empty"),
)
bad(
    "listed.csv",
    beyond=(swap("3,2,1", "4,2,1"), "not a pair"),
    negative=(swap("3,2,1", "3,2,-1"), "not a pair"),
    fraction=(swap("3,2,1", "3.5,2,1"), "not a pair"),
    text=(swap("3,2,1", "a,2,1"), "not a pair"),
)
bad(
    "listed.npz",
    empty=(b"", "listed.npz"),
    text=("PK", "listed.npz"),
    broken_off=(cut, "listed.npz"),
    damaged_inside=(lambda p: p.write_bytes(p.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05", 2)),
                    "listed.npz"),
    other_arrays=(lambda p: np.savez(p, a=np.zeros(3)), "listed.npz"),
)  # fmt: skip
bad(
    "listed.parquet",
    empty=(b"", "listed.parquet"),
    text=("PAR1", "listed.parquet"),
    broken_off=(cut, "listed.parquet"),
)
bad(
    "muscles.csv",
    unknown_muscle=(swap("VR07", "VR77"), "no muscle"),
    sign_of_2=(swap("VR07,1,1", "VR07,1,2"), "sign"),
    negative_count=(swap("VR07,1,1", "VR07,-1,1"), "count"),
)
bad("readout.csv", unknown_cell=(swap("RIML", "RIMX"), "no cell 'RIMX'"),
    nan=(swap("-0.0123575", "nan"), "write a number"))  # fmt: skip
bad("proprioception.csv", unknown_muscle=(swap("DR01", "DR99"), "no muscle"))

# ---- wheels ----


def repack(old: str, new: str) -> Callable[[Path], None]:
    """Replaces text in every file of an archive."""

    def change(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in texts.items():
                assert old in text
                archive.writestr(name, text.replace(old, new))

    return change


for _name, _part in (("c302.whl", "<cell"), ("cect.whl", '"nodes"')):
    bad(
        _name,
        empty=(b"", "no wheel"),
        text=("PK", "no wheel"),
        broken_off=(cut, "no wheel"),
        a_folder=(folder, "no wheel"),
        another_package=(lambda p: zipfile.ZipFile(p, "w").close(), "expected"),
        other_contents=(repack(_part, '"knots"' if _part[0] == '"' else "<knot"),
                        "holds something else"),
        damaged_inside=(
            lambda p: p.write_bytes(p.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05", 1)),
            "no wheel",
        ),
    )  # fmt: skip
bad(
    "c302.whl",
    no_XML=(repack("<neuroml", "neuroml"), "holds something else"),
    no_number=(repack('x="0"', 'x="zero"'), "holds something else"),
    no_place=(repack('y="9" ', ""), "holds something else"),
    unknown_group=(repack("Neurite1", "Flagellum1"), "holds something else"),
)
bad(
    "cect.whl",
    no_JSON=(repack("{", "["), "holds something else"),
    ragged=(repack("[[0, 3], [0, 0]]", "[[0, 3], [0]]"), "holds something else"),
    too_small=(repack("[[0, 3], [0, 0]]", "[[3]]"), "holds something else"),
)
