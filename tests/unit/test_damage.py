"""Damage: figures over seeds against the control of the same seed, the plan, the config, the page."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from pipeline.analysis.damage import analyse_damage, read_damage
from pipeline.config.load import load_model
from pipeline.config.stages import stage_slice
from pipeline.damage import plan_damage
from pipeline.errors import ConfigError
from pipeline.report.damage import damage_figures, damage_rows
from pipeline.report.figures import Tables
from pipeline.sonata.layout import CircuitPaths


@pytest.fixture(scope="module")
def resolved():
    return load_model("worm", "damaged")


def put(paths, change, seed, displacement, correlations):
    path = paths.damage(change, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path, names=np.array(["error", "displacement"]), values=np.array([0.1, displacement]),
        correlations=np.array(correlations), track=np.array([[0, 0], [seed, 1e3]]),
    )  # fmt: skip


@pytest.fixture
def paths(tmp_path):
    """Three seeds of the control, two of one change, one of another."""
    paths = CircuitPaths(tmp_path)
    for seed in (1, 2, 3):
        put(paths, "control", seed, 2.0 * seed, [0.5, 0.5])
    put(paths, "nca", 1, 1.0, [0.5, 0.1])
    put(paths, "nca", 2, 3.0, [0.3, 0.5])
    put(paths, "no_ava", 3, 6.0, [0.5, 0.5])
    return paths


def test_changes_are_held_against_the_control_of_their_seed(resolved, paths):
    tables, metrics = analyse_damage(resolved, paths)
    found = {name: value for name, value, _ in metrics}
    assert found["damage.nca.displacement_change"] == pytest.approx((-50 - 25) / 2)
    assert found["damage.nca.correlation_change"] == pytest.approx((0.16 / 2 + 0.04 / 2) / 2)
    half = t.ppf(0.975, 1) * np.std([-50, -25], ddof=1) / np.sqrt(2)
    assert found["damage.nca.displacement_change_high"] == pytest.approx(-37.5 + half)
    assert found["damage.no_ava.displacement_change"] == 0
    assert "damage.no_ava.displacement_change_low" not in found  # one seed has no spread
    assert "damage.control.displacement_change" not in found
    assert found["damage.control.displacement"] == 4
    assert tables["damage_seeds"]["seed"].tolist() == [1, 2, 3, 3, 1, 2]
    assert not any(name.startswith("damage.no_rim") for name in found)
    assert analyse_damage(load_model("worm", "tiny"), paths) == ({}, [])


def test_the_page_shows_them_beside_the_published(resolved, paths):
    tables, _ = analyse_damage(resolved, paths)
    shown = Tables(resolved, paths, {key: frame for key, frame in tables.items()})
    judged = {"metric": "damage.nca.displacement_change", "published": -80.0, "verdict": "fail"}
    shown.loaded["verdicts"] = pd.DataFrame([judged])
    rows = {row["title"]: row["figures"] for row in damage_rows(shown)}
    cell = rows["NCA blocked"][3]
    assert (cell["mean"], cell["published"], cell["verdict"]) == (-37.5, -80.0, "fail")
    assert rows["control"][3]["mean"] is None and rows["without AVA"][3]["low"] is None
    assert len(read_damage(resolved, paths)["control"]) == 3
    figure = damage_figures(shown)[0]
    assert figure.key == "damage" and len(figure.uri) > 5000


def test_the_plan_counts_what_is_left(resolved, paths):
    plan = plan_damage(resolved, ["control", "nca"], [1, 2, 3], paths, 5000)
    assert (plan["jobs"], plan["left"], plan["simulated_s"]) == (6, 1, 11)
    assert 20 < plan["seconds"] < 60


def test_a_job_depends_on_its_own_change_only(resolved):
    edges = stage_slice(resolved, "damage", "no_ava")["edges"]
    assert edges["kind"] == "contacts"
    drug = stage_slice(resolved, "damage", "nca")
    assert drug["edges"] is None and drug["steps"] != stage_slice(resolved, "damage", "nca_half")
    assert "seeds" not in drug["damage"] and "forage" not in str(drug["damage"].get("changes"))


def test_wrong_studies_are_refused_at_once(tmp_path):
    path = tmp_path / "wrong.yaml"
    base = load_model("worm").folder / "variants/damaged.yaml"
    path.write_text(
        f"extends: {base}\nname: wrong\nset:\n  damage.edges: wires\n  damage.behaviour: swim\n"
        "  damage.training: gait\n  damage.changes.control: {steps: [{kind: to_soma}]}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_model(str(path))
    text = " ".join(str(problem) for problem in caught.value.problems)
    for part in ("'wires'", "'swim'", "'gait'", "the control is changed"):
        assert part in text
