"""The V1 model folder: published numbers, and agreement with the release's files where they are."""

from __future__ import annotations

import ast
import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from pipeline.config.load import list_variants, load_model
from pipeline.config.stages import stage_files, stage_slice
from pipeline.nodes.place import place
from pipeline.nodes.types import placed_types, population_counts

ROOT = Path(__file__).resolve().parents[2]
TABLES = ROOT / "models/v1/tables"
FILES = ROOT.parent / "shared/data/billeh-v1/billeh2020"
needs_files = pytest.mark.skipif(
    not FILES.is_dir(), reason="the release's files (no licence, not shipped) are not beside us"
)
CLASSES = "e2 e4 e5 e6 i1H i2P i2S i2H i4P i4S i4H i5P i5S i5H i6P i6S i6H".split()
LGN_COLUMNS = {
    "probability": "probability", "sON_ratio": "sustained_on",
    "poissonParameter": "frequency_mean", "centers_d_min": "distance_min",
    "centers_d_max": "distance_max", "ON_OFF_w_min": "width_min", "ON_OFF_w_max": "width_max",
    "aspectRatio_min": "aspect_min", "aspectRatio_max": "aspect_max",
}  # fmt: skip
PUBLISHED = {
    "i1Htr3a": (999, 3364), "e23Cux2": (12689, 43368), "i23Htr3a": (1107, 3738),
    "i23Pvalb": (640, 2287), "i23Sst": (464, 1656), "e4Nr5a1": (1248, 4243),
    "e4Rorb": (2605, 9293), "e4Scnn1a": (3072, 10656), "e4other": (3329, 11315),
    "i4Htr3a": (270, 961), "i4Pvalb": (963, 3498), "i4Sst": (553, 1831),
    "e5Rbp4": (6010, 20836), "e5noRbp4": (1559, 5153), "i5Htr3a": (117, 391),
    "i5Pvalb": (613, 2263), "i5Sst": (555, 1983), "e6Ntsr1": (12882, 44320),
    "i6Htr3a": (192, 649), "i6Pvalb": (1052, 3574), "i6Sst": (1059, 3567),
}  # fmt: skip


def rows(name):
    with open(TABLES / name, newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def pairs(name="connections.csv"):
    return {(row["source"], row["target"]): row for row in rows(name)}


@pytest.fixture(scope="module")
def full():
    return load_model(str(ROOT / "models/v1"), "full")


@pytest.fixture(scope="module")
def cells(full):
    specs, voxels = placed_types(full, "v1")
    return place(full.model.nodes["v1"], specs, "v1", full.model.seed, voxels)


def test_the_published_counts(full):
    counts = population_counts(full, "v1")
    for name, (core, annulus) in PUBLISHED.items():
        assert (counts[name, "core"], counts[name, "annulus"]) == (core, annulus)
    assert len(counts) == 42
    assert sum(counts.values()) == 230_924
    assert sum(n for (_, region), n in counts.items() if region == "core") == 51_978


def test_sizes(full):
    expected = {"core": 51_978, "full": 230_924, "small": 5_198, "tiny": 300, "engines": 300}
    expected |= {"hybrid": 230_924, "hybrid_small": 5_198, "hybrid_tiny": 300}
    changed = ("no_recurrent", "no_like_to_like", "silent_pvalb", "silent_sst", "silent_htr3a")
    expected |= dict.fromkeys([f"small_{name}" for name in (*changed, "lgn_half")], 5_198)
    assert list_variants(ROOT / "models/v1/model.yaml") == sorted(expected)
    for variant, cells in expected.items():
        resolved = load_model(str(ROOT / "models/v1"), variant)
        counts = population_counts(resolved, "v1")
        assert sum(counts.values()) == cells
        assert min(counts.values()) >= 1  # no population vanishes
        assert sum(population_counts(resolved, "lgn").values()) == 17_400


def test_depths_radii_and_tuning(full, cells):
    depth = {
        r["name"]: (float(r["depth_min"]), float(r["depth_max"])) for r in rows("populations.csv")
    }
    radius = np.hypot(cells.columns["x"], cells.columns["z"])
    limits = {"core": (1, 400), "annulus": (400, 845)}
    for index, spec in enumerate(cells.specs):
        mine = cells.type_ids == index
        below = -cells.columns["y"][mine].astype(float)
        assert depth[spec.name][0] <= below.min() and below.max() <= depth[spec.name][1]
        low, high = limits[spec.region]
        assert low - 1e-3 <= radius[mine].min() and radius[mine].max() <= high + 1e-3
        angles = cells.columns["tuning_angle"][mine]
        assert np.allclose(angles, 360 * np.arange(mine.sum()) / mine.sum())
    assert depth["i5Htr3a"] == (430, 649)
    # Cells per mm2 of both regions together, as published (within rounding of the counts).
    area = math.pi * 0.845**2
    e6 = sum(n for s, n in zip(cells.specs, cells.counts, strict=True) if s.name == "e6Ntsr1")
    assert e6 / area == pytest.approx(25_500, rel=1e-3)


def test_thalamic_units(full):
    counts = population_counts(full, "lgn")
    assert sum(int(row["per_tile"]) for row in rows("lgn_units.csv")) == 116
    assert sum(counts.values()) == 17_400 and counts["sON_TF8", "field"] == 15 * 150
    specs, _ = placed_types(full, "lgn")
    units = place(full.model.nodes["lgn"], specs, "lgn", 1)
    assert 0 <= units.columns["x"].min() and units.columns["x"].max() <= 240
    assert 0 <= units.columns["y"].min() and units.columns["y"].max() <= 120
    tile = (units.columns["x"] // 16).astype(int) * 10 + (units.columns["y"] // 12).astype(int)
    assert set(np.bincount(tile, minlength=150)) == {116}
    dual = np.char.startswith(units.columns["cell_type"].astype(str), "sONs")
    dual |= units.columns["cell_type"].astype(str) == "sONtOFF"
    assert np.array_equal(dual, np.isfinite(units.columns["tuning_angle"]))
    size = units.columns["spatial_size"]
    assert size[units.columns["cell_type"] == "sONsOFF"].tolist() == [6.0] * 1200
    assert 2 <= size.min() and size.max() <= 10


def test_tables_cover_all_pairs_and_name_their_sources():
    for name in ("connections.csv", "weights.csv"):
        assert list(pairs(name)) == [(s, t) for s in CLASSES for t in CLASSES]
    for path in TABLES.glob("*.csv"):
        table = rows(path.name)
        key = "source" if "origin" not in table[0] else "origin"
        assert all(row[key] for row in table), path.name
    for row in pairs().values():
        assert 0 <= float(row["probability"]) <= 1
        assert row["delay"] or float(row["probability"]) == 0


def test_weights_have_the_sign_of_their_source_and_sizes_compensate():
    """Smaller sizes: weight times the ratio of mean in-degrees, endless sheet over disc."""

    def mean_kernel(radius, sigma):
        def density(r):  # distance of two random points of a disc
            x = r / (2 * radius)
            return 4 * r / (math.pi * radius**2) * math.acos(x) - 2 * r**2 / (
                math.pi * radius**3
            ) * math.sqrt(1 - x * x)

        return quad(lambda r: density(r) * math.exp(-((r / sigma) ** 2)), 0, 2 * radius)[0]

    sigma = {pair: float(row["sigma"]) for pair, row in pairs().items()}
    factors = {
        (size, s): (s / (400 * scale**0.5)) ** 2 / mean_kernel(400 * scale**0.5, s)
        for size, scale in (("core", 1.0), ("small", 0.1), ("tiny", 0.00577))
        for s in set(sigma.values())
    }
    for pair, row in pairs("weights.csv").items():
        assert float(row["weight"]) * (1 if pair[0][0] == "e" else -1) >= 0
        assert (float(row["weight"]) == 0) == (float(pairs()[pair]["probability"]) == 0)
        for size in ("core", "small", "tiny"):
            for name in ("weight", "conductance"):
                expected = float(row[name]) * factors[size, sigma[pair]]
                assert float(row[f"{name}_{size}"]) == pytest.approx(expected, rel=1e-3)
    for size, scale in (("small", 0.1), ("tiny", 0.00577), ("core", 1.0)):
        resolved = load_model(str(ROOT / "models/v1"), size)
        weight = resolved.model.edges["recurrent"].rules[0].synapse.weight.value
        assert weight.column == f"weight_{size}" and resolved.model.nodes["v1"].scale == scale


def test_class_pair_numbers():
    table = pairs()
    kind = {c: "e" if c[0] == "e" else c[-1] for c in CLASSES}
    for (source, target), row in table.items():
        a, b = kind[source], kind[target]
        if a == "e":
            expected = {"e": 114, "P": 92}.get(b, 103)
        else:
            expected = ({"P": 95}.get(a, 85)) if b == "e" else 120
        assert float(row["sigma"]) == expected
        if a == b == "e":
            assert float(row["tuning_ratio"]) == (0.8 if "e5" in (source, target) else 0.5)
        else:
            assert row["tuning_ratio"] == ""

    def peak(pair):  # published checks of the amplitude correction
        a, s = float(table[pair]["probability"]), float(table[pair]["sigma"]) / 75
        return a / (s * s * (1 - math.exp(-1 / (s * s))))

    assert peak(("e4", "e4")) == pytest.approx(0.299, abs=5e-4)
    assert peak(("e2", "e2")) == pytest.approx(0.197, abs=5e-4)
    assert peak(("i4P", "e4")) == pytest.approx(0.587, abs=5e-4)
    above = {pair for pair in table if peak(pair) > 1}
    assert above == {("i2S", "i2P"), ("i4S", "i4P"), ("i5S", "i5P")}
    assert peak(("i2S", "i2P")) == pytest.approx(1.035, abs=5e-4)


def class_of():
    return {row["name"]: row["cell_class"] for row in rows("populations.csv")}


@needs_files
def test_populations_agree_with_the_release():
    nodes = json.loads((FILES / "biophys_props/v1_node_models.json").read_text())
    assert nodes["inner_radial_range"] == [1, 400] and nodes["outer_radial_range"] == [400, 845]
    table = {row["name"]: row for row in rows("populations.csv")}
    seen = set()
    for layer in nodes["locations"].values():
        for name, entry in layer.items():
            row = table[name]
            counts = {"biophysical": 0, "point_process": 0}
            for model in entry["models"]:
                counts[model["model_type"]] += model["N"]
            assert counts["biophysical"] == int(row["n_core"])
            assert counts["point_process"] == int(row["n_annulus"])
            assert entry["depth_range"] == [float(row["depth_min"]), float(row["depth_max"])]
            assert entry["ei"] == row["ei"]
            seen.add(name)
    assert seen == set(table)


@needs_files
def test_connections_agree_with_the_release():
    published = json.loads((FILES / "biophys_props/v1_conn_props.json").read_text())
    table = pairs()
    assert {tuple(key.split("-")) for key in published} == set(table)
    for key, entry in published.items():
        row = table[tuple(key.split("-"))]
        assert entry["A_literature"] == float(row["probability"])
        assert entry["sigma"] == float(row["sigma"]) and entry["R0"] == 75
        ratio = float(row["tuning_ratio"]) if row["tuning_ratio"] else None
        assert entry["B_ratio"] == ratio
        assert entry["nsyn_range"] == [3, 8]  # the end is not included


@needs_files
def test_delays_and_placement_agree_with_the_release():
    with open(FILES / "biophys_props/v1_edge_models.csv", newline="") as handle:
        published = list(csv.DictReader(handle, delimiter=" "))
    names = class_of()
    kinds = {"basal": "dend", "apical": "apic", "somatic": "soma"}
    where = {(row["source"], row["target"]): row for row in rows("placement.csv")}
    table, wrong, compared = pairs(), set(), 0
    for row in published:
        if not row["target_sections"] or row["source_label"] == "LGN":
            continue  # cells of the annulus have no sections; the thalamus has its own table
        pair = names[row["source_label"].removeprefix("LIF")], names[row["target_label"]]
        ours = where.get(pair) or where[pair[0], "*"]
        low, high = ast.literal_eval(row["distance_range"])
        sections = {kinds[s] for s in ast.literal_eval(row["target_sections"])}
        expected = (float(row["delay"]), low, min(high, 1e20), sections)
        found = (float(table[pair]["delay"] or "nan"), float(ours["distance_min"] or 0),
                 float(ours["distance_max"] or 1e20), set(ours["sections"].split("+")))  # fmt: skip
        compared += 1
        if expected != found:
            wrong.add((pair, str(expected), str(found)))
    assert not wrong, sorted(wrong)[:10]
    assert compared == 3656  # every row of a biophysical target


@needs_files
def test_thalamic_tables_agree_with_the_release():
    units = json.loads((FILES / "node_props/lgn_models.json").read_text())
    ours = {row["name"]: row for row in rows("lgn_units.csv")}
    assert {name.removesuffix("_001") for name in units} == set(ours)
    for name, entry in units.items():
        row = ours[name.removesuffix("_001")]
        assert entry["N"] == int(row["per_tile"])
        sizes = entry["size_range"]
        assert [float(row["size_min"]), float(row["size_max"])] == [sizes[0], sizes[-1]]
    published = json.loads((FILES / "node_props/lgn_params.json").read_text())
    names = class_of() | {"e23": "e2", "e4": "e4", "e5": "e5", "e6": "e6"}
    rule = {row["cell_class"]: row for row in rows("lgn_rule.csv")}
    synapses = pairs("lgn_synapses.csv")
    assert {names[name] for name in published} == set(rule)
    assert {key for entry in published.values() for key in entry} == {*LGN_COLUMNS, "N_syn"}
    for name, entry in published.items():
        row = rule[names[name]]
        for key, column in LGN_COLUMNS.items():
            assert entry[key] == float(row[column]), (name, key)
        if entry["probability"]:
            assert entry["N_syn"] == int(synapses["*", names[name]]["nsyns"])


@needs_files
def test_weights_are_the_means_of_the_tuned_ones():
    """pA: one edge type per target model and source population; means weighted by cells."""
    models = json.loads((FILES / "glif_props/v1_node_models.json").read_text())["locations"]
    kind = class_of()
    cells, counts = {}, {}
    for populations in models.values():
        for name, entry in populations.items():
            counts[name] = sum(model["N"] for model in entry["models"])
            for model in entry["models"]:
                cells[str(model["node_type_id"])] = kind[name], model["N"]
    sums: dict = {}
    with open(FILES / "glif_props/v1_v1_edge_types.csv", newline="") as handle:
        for row in csv.DictReader(handle, delimiter=" "):
            target, number = cells[row["target_query"].split("'")[1]]
            source = row["source_query"].split("'")[1]
            entry = sums.setdefault((kind[source], target), [0.0, 0])
            entry[0] += float(row["syn_weight"]) * number * counts[source]
            entry[1] += number * counts[source]
    for pair, row in pairs("weights.csv").items():
        if float(pairs()[pair]["probability"]):
            assert float(row["weight"]) == pytest.approx(sums[pair][0] / sums[pair][1], rel=1e-3)


def test_the_workflow_knows_the_files_of_each_stage(full):
    def names(stage, name=""):
        return [path.name for path in stage_files(full, stage, name)]

    assert names("nodes") == ["populations.csv", "lgn_units.csv", "glif.csv", "glif_ports.csv"]
    tables = ["connections.csv", "kinetics.csv", "placement.csv", "weights.csv"]
    assert names("edges", "recurrent") == tables
    assert names("edges", "background") == ["bkg_synapses.csv"]
    assert names("edges", "lgn") == ["lgn_rule.csv", "lgn_synapses.csv"]
    assert "seed" in stage_slice(full, "nodes")
