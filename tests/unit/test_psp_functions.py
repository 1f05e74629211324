"""Paired recordings: features in closed form, draws beside a naive search, calibration of a known law."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.analysis.psp import analyse_psp
from pipeline.config.psp import PSP_FEATURES
from pipeline.errors import ConfigError
from pipeline.psp.calibrate import calibrate, calibration_table, gain_table
from pipeline.psp.features import conductance_factor, psp_features
from pipeline.psp.pathways import Pathway, draw_pairs, read_pathways
from pipeline.psp.stage import (
    Recording,
    pair_table,
    pathway_table,
    record_all,
    trace_table,
    write_csv,
)
from pipeline.runtime import JsonStore
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.write import EdgeWriter

TIME = np.arange(-50, 2001) * 0.1


def _difference(rise: float, decay: float, delay: float) -> np.ndarray:
    """Difference of exponentials of peak 1 that starts at a delay (ms)."""
    t = np.maximum(TIME - delay, 0.0)
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    scale = np.exp(-peak / decay) - np.exp(-peak / rise)
    return (np.exp(-t / decay) - np.exp(-t / rise)) / scale


def test_features_of_a_known_potential():
    shape = _difference(1.0, 20.0, 1.5)
    sizes = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    found = psp_features(TIME, -sizes[:, None] * shape, -1.0)
    assert found["psp"] == pytest.approx(2.0, rel=1e-4)
    assert found["cv"] == pytest.approx(sizes.std(ddof=1) / 2.0, rel=1e-3)
    assert found["failures"] == 0.2
    assert found["decay"] == pytest.approx(20.0, rel=0.01)
    fine = np.linspace(0, 10, 100_001)
    exact = (np.exp(-fine / 20.0) - np.exp(-fine)) / (shape.max() or 1)
    exact /= exact.max()
    at = [fine[np.argmax(exact >= share)] for share in (0.05, 0.2, 0.8)]
    assert found["latency"] == pytest.approx(1.5 + at[0], abs=0.01)
    assert found["rise"] == pytest.approx(at[2] - at[1], abs=0.01)


def test_nothing_released_has_no_kinetics():
    found = psp_features(TIME, np.zeros((4, len(TIME))), 1.0)
    assert (found["psp"], found["failures"]) == (0.0, 1.0)
    assert all(math.isnan(found[name]) for name in ("cv", "latency", "rise", "decay"))


def test_wrong_sign_is_no_potential():
    found = psp_features(TIME, -np.ones((3, 1)) * _difference(1.0, 20.0, 1.0), 1.0)
    assert found["psp"] == 0.0


@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0])
def test_conductance_factor_inverts_the_steady_state(gain):
    """v = d g / (G + g) for a synapse of conductance g on a membrane of conductance G."""
    d, leak, g = 70.0, 10.0, 0.5
    before, after = (d * x / (leak + x) for x in (g, gain * g))
    assert conductance_factor(before, after, -d) == pytest.approx(gain)
    # The form in which it is published.
    assert conductance_factor(before, after, d) == pytest.approx(
        after * (1 - before / d) / (before * (1 - after / d))
    )
    assert math.isnan(conductance_factor(before, 71.0, d))


HEADER = "name,pre,post,hold,psp,psp_sd,dx,dy,dz,least_synapses,most_synapses,source\n"


def _table(tmp_path, *rows: str):
    path = tmp_path / "targets.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_all_problems_of_a_table_at_once(tmp_path):
    path = _table(tmp_path, "a,P,P,,1,1,,,,,,x", "a,P,P,-70,-1,1,wide,,,,,x")
    with pytest.raises(ConfigError) as caught:
        read_pathways(path, "local")
    text = "\n".join(str(p) for p in caught.value.problems)
    for part in ("2: hold is ''", "3: psp is '-1'", "3: dx is 'wide'", "3: 'a' stands twice"):
        assert part in text
    (tmp_path / "targets.csv").write_text("name,pre\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no column post, hold, source"):
        read_pathways(path, "local")


def _nodes(n: int = 30) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    places = dict(zip("xyz", rng.uniform(0, 100, (3, n)), strict=True))
    types = {
        "mtype": rng.choice(["L5_PC", "L5_MC", "L6_PC"], n),
        "etype": rng.choice(["a", "b"], n),
    }
    return pd.DataFrame(places | types)


def _edges(tmp_path, n: int = 30, count: int = 600):
    rng = np.random.default_rng(2)
    source, target = np.sort(rng.integers(0, n, (2, count)), axis=1)
    rng.shuffle(source)
    order = np.lexsort((source, target))
    paths = CircuitPaths(tmp_path / "c")
    paths.network.mkdir(parents=True)
    with EdgeWriter(paths.edges("c__c__chemical"), "c__c__chemical", "c", "c", n, n) as writer:
        writer.append(
            source[order].astype("u8"), target[order].astype("u8"), np.zeros(count, int), {}
        )
    return paths, source[order], target[order]


def test_draws_are_those_of_a_naive_search_and_stay(tmp_path):
    paths, source, target = _edges(tmp_path)
    nodes = _nodes()
    file = _table(tmp_path, "near,L5_PC L6*,*_MC,-70,1,1,40,60,,1,2,x", "all,*,L6_PC,-70,,,,,,,,x")
    pathways = read_pathways(file, "local")
    drawn = draw_pairs(paths, "c__c__chemical", pathways, (nodes, nodes), 10_000, 5, rows=64)
    expected = set()
    for pair in set(zip(source.tolist(), target.tolist(), strict=True)):
        one, other = nodes.loc[pair[0]], nodes.loc[pair[1]]
        count = int(((source == pair[0]) & (target == pair[1])).sum())
        fits = one["mtype"] in ("L5_PC", "L6_PC") and other["mtype"] == "L5_MC"
        if fits and abs(one.x - other.x) <= 40 and abs(one.y - other.y) <= 60 and count <= 2:
            expected.add(pair)
    found = drawn["near"]
    assert {(p.source, p.target) for p in found} == expected
    assert len(found) == len(expected) > 5
    for pair in found:
        own = np.flatnonzero((source == pair.source) & (target == pair.target))
        np.testing.assert_array_equal(pair.edges, own)
    few = draw_pairs(paths, "c__c__chemical", pathways[:1], (nodes, nodes), 3, 5)["near"]
    assert [(p.source, p.target) for p in few] == [(p.source, p.target) for p in found[:3]]
    other = draw_pairs(paths, "c__c__chemical", pathways[:1], (nodes, nodes), 3, 6)["near"]
    assert [(p.source, p.target) for p in other] != [(p.source, p.target) for p in few]


def _pathway(name: str, psp: float, hold: float = -70.0, **more) -> Pathway:
    targets = dict.fromkeys(PSP_FEATURES, (math.nan, math.nan)) | {"psp": (psp, 0.1)} | more
    return Pathway(name, "local", ("P",), ("P",), (), (), hold, False, (math.inf,) * 3,
                   (0, math.inf), targets, "chosen")  # fmt: skip


def _bench(laws):
    """A setup and a measurement by a law of every pathway: factor to (mV, reversal)."""
    pathways = [_pathway(name, target) for name, (target, _, _) in laws.items()]
    nodes = pd.DataFrame({"mtype": ["P", "Q"]})
    setup = SimpleNamespace(pathways=pathways, pairs={p.name: [1] for p in pathways},
                            nodes=lambda edges: [nodes, nodes])  # fmt: skip

    def measure(factors):
        rows = [
            {"pathway": name, "psp": law(factors[name]), "reversal": reversal, "pairs": 1,
             "conductance": 0.5 * factors[name]}
            for name, (_, reversal, law) in laws.items()
        ]  # fmt: skip
        return [], pd.DataFrame(rows)

    return setup, measure


def test_calibration_of_a_known_law():
    laws = {
        "exc": (1.5, 0.0, lambda f: 70 * 0.1 * f / (10 + 0.1 * f)),
        "steeper": (2.0, 0.0, lambda f: 0.5 * f**1.2),
        "inh": (9.0, -80.0, lambda f: 10 * f / (10 + f)),
        "never": (12.0, -80.0, lambda f: 10 * f / (10 + f)),
        "silent": (1.0, 0.0, lambda f: math.nan),
        "weak": (5.0, 0.0, lambda f: 0.01 * f),
    }
    setup, measure = _bench(laws)
    found = calibrate(setup, measure)
    by_name = {s.pathway.name: s for s in found}
    assert all(by_name[name].done for name in ("exc", "steeper"))
    assert by_name["exc"].factor == pytest.approx(1.5 / 68.5 * 100, rel=0.03)
    assert "beyond 0.05 to 20" in by_name["inh"].note
    assert by_name["never"].note == "no conductance reaches it: driving force 10 mV"
    assert by_name["silent"].note == "nothing was recorded"
    assert "beyond" in by_name["weak"].note
    _, final = measure({s.pathway.name: s.factor for s in found})
    table = calibration_table(found, final).set_index("pathway")
    assert table.loc["exc", "after"] == pytest.approx(1.5, rel=0.02)
    assert table.loc["exc", "conductance_before"] == pytest.approx(0.5)
    gains = gain_table(setup, table.reset_index(), "a test")
    # All pathways are from P to P; only the first counts, for gains multiply.
    assert gains[["edges", "source", "target"]].values.tolist() == [["local", "P", "P"]]
    assert gains["factor"][0] == by_name["exc"].factor


def test_calibration_stops_at_its_rounds():
    setup, measure = _bench({"odd": (1.0, 0.0, lambda f: 0.5 if f < 1.5 else 1.8)})
    (search,) = calibrate(setup, measure, rounds=3)
    assert not search.done
    assert search.note == "0.5 mV is the nearest of 3 rounds"
    assert search.factor == pytest.approx(min(search.history, key=lambda h: abs(h[1] - 1.0))[0])


class _Setup:
    """Jobs without a circuit."""

    def __init__(self, broken: bool = False):
        self.config = SimpleNamespace(time_limit=1.0)
        self.pathways = [_pathway("a", 1.0, synapses=(2.0, 0.5)), _pathway("b", 1.0)]
        pair = SimpleNamespace(source=1, target=2, edges=np.array([4, 5]))
        self.pairs = {"a": [pair, pair], "b": [pair]}

    def jobs(self, pathway, factor, folder):
        from pipeline.psp.record import Job, Protocol

        if pathway.name == "b":
            return ["the cell has no e-model"]
        protocol = Protocol(-70, 800, 100, 0.1, 0.1, 34, 3)
        rows = [{"conductance": 1e-3 * factor}]
        return [
            Job(f"{number}{factor:g}", folder, None, folder, "c", 2, "m", {}, "e", rows, {}, 1, protocol)
            for number in (1, 2)
        ]  # fmt: skip


def test_what_is_kept_is_not_recorded_again(tmp_path):
    store, asked = JsonStore(tmp_path), []

    def run(jobs, workers, limit):
        asked.append([job.key for job in jobs])
        found = []
        for job in jobs:
            if job.key == "21" and len(asked) == 1:
                found.append("took longer than 1 s")
                continue
            result = {"reason": "", "psp": 1.0, "cv": None, "reversal": 0.0, "trace": [0.0, 1.0]}
            store.put(job.key, result)
            found.append(result)
        return found

    recordings, made = record_all(_Setup(), store, 1, run=run)
    assert (asked, made) == ([["11", "21"]], 2)
    assert [r.result["reason"] for r in recordings] == [
        "", "failed: took longer than 1 s", "the cell has no e-model"
    ]  # fmt: skip
    again, made = record_all(_Setup(), store, 1, run=run)
    assert (asked[1], made) == (["21"], 1)
    store.path("11").write_text("{", encoding="utf-8")
    record_all(_Setup(), store, 1, run=run)
    assert asked[2] == ["11"]
    pairs = pair_table(again)
    table = pathway_table(_Setup().pathways, pairs).set_index("pathway")
    assert table.loc["a", ["pairs", "failed", "psp", "synapses", "conductance"]].tolist() == [
        2, 0, 1.0, 2.0, 1.0
    ]  # fmt: skip
    assert table.loc["b", ["pairs", "failed"]].tolist() == [0, 1]
    traces = trace_table(again, 0.5)
    assert traces["mean"].tolist() == [0.0, 1.0] and traces["time"].tolist() == [-5.0, -4.5]


def test_verdicts_within_one_sd(tmp_path):
    paths = CircuitPaths(tmp_path)
    pathway = _pathway("a", 1.0, synapses=(2.0, math.nan), decay=(20.0, 5.0))
    pathway.targets["psp"] = (1.0, 0.2)
    pair = SimpleNamespace(source=1, target=2, edges=np.array([4, 5]))
    results = [{"reason": "", "psp": value, "decay": 30.0} for value in (1.1, 1.25)]
    recordings = [Recording("a", pair, 1.0, result, "") for result in results]
    table = pathway_table([pathway, _pathway("none", 0.5)], pair_table(recordings))
    write_csv(paths.psp("pathways"), table)
    metrics, verdicts = analyse_psp(paths)
    found = dict(zip(verdicts["metric"], verdicts["verdict"], strict=True))
    assert found == {
        "psp.a.psp": "pass", "psp.a.synapses": "information", "psp.a.decay": "fail",
        "psp.none.psp": "not measured",
    }  # fmt: skip
    values = {name: value for name, value, _ in metrics}
    assert values["psp.a.psp"] == pytest.approx(1.175)
    assert (values["psp.pass"], values["psp.fail"]) == (1, 1)


def test_figures_and_figures_without_pairs(tmp_path):
    from psp_model import make_model

    from pipeline.config.load import load_model
    from pipeline.report.figures import Tables
    from pipeline.report.psp import psp_figures

    resolved = load_model(str(make_model(tmp_path / "model")), None)
    paths = CircuitPaths(tmp_path / "out")
    assert psp_figures(Tables(resolved, paths)) == []
    pathways = read_pathways(tmp_path / "model" / "targets.csv", "inner")
    pair = SimpleNamespace(source=1, target=2, edges=np.array([4, 5]))
    result = {"reason": "", "psp": 1.0, "reversal": 0.0, "trace": [0.0, 1.0, 0.5]}
    for name, recordings in (("none", []), ("some", [Recording("P-P", pair, 1.0, result, "")])):
        pairs = pair_table(recordings)
        write_csv(paths.psp("pathways"), pathway_table(pathways, pairs))
        write_csv(paths.psp("traces"), trace_table(recordings, 0.1))
        found = psp_figures(Tables(resolved, paths))
        assert len(found) == (2 if name == "some" else 0)
    assert "Without connections here: P-I, I-P, none-P." in found[0].caption
