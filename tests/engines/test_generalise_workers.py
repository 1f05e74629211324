"""Evaluations of e-models in worker processes: against cable theory, and when workers die or hang."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from toy_evaluators import Rogue, sleep

from pipeline.config.fits import Evaluation as Limits
from pipeline.config.generalise import Generalise
from pipeline.generalise.evaluation import Store, evaluate_missing, pair_keys
from pipeline.generalise.evaluator import FitEvaluator, Judged
from pipeline.generalise.pairs import Pair
from pipeline.generalise.verdict import judge
from pipeline.worker import Late, map_surviving

pytest.importorskip("efel", reason="eFEL comes with the extra 'optimise'")
TABLES = Path(__file__).parents[2] / "models/column/tables"
LEAK, RADIUS, REST = 5e-4, 8.0, -70.0


def run(evaluator, files, emodel, folder):
    pairs = [Pair(name, emodel) for name in sorted(files)]
    keys = pair_keys(pairs, files, evaluator)
    store = Store(folder / "store")
    return {
        p.morphology: e for p, e in evaluate_missing(keys, files, evaluator, store, 1)[0].items()
    }


def test_a_passive_sphere_holds_and_resists_as_it_should(tmp_path):
    (tmp_path / "ball.swc").write_text(f"1 1 0 0 0 {RADIUS} -1\n")
    (tmp_path / "leak.yaml").write_text(
        "schema: 1\nname: leak\nsource: assumed, for a test\n"
        f"passive: {{all: {{Ra: 100, cm: 1, g_pas: {LEAK}, e_pas: {REST}}}}}\n"
        "conditions: {celsius: 34, v_init: -70}\n"
    )
    tables = (TABLES / "protocols/cNAC.csv", TABLES / "targets/cNAC.csv")
    own = Judged(tmp_path / "leak.yaml", tables, "none", 40.0, Limits(worst=1e6))
    found = run(
        FitEvaluator({"leak": own}, None, 60.0), {"ball": tmp_path / "ball.swc"}, "leak", tmp_path
    )
    outcome = found["ball"]
    conductance = LEAK * 4 * math.pi * RADIUS**2 * 1e-8 * 1e6  # uS
    # Recorded: rest -74.8618 +- 5.3036 mV, 227.1772 +- 92.2937 Mohm, held at -84.1203 mV.
    assert outcome.scores["RMP.soma.v.voltage_base"] == pytest.approx(
        (REST + 74.8618) / 5.3036, abs=1e-3
    )
    resistance = outcome.scores["Rin.soma.v.ohmic_input_resistance_vb_ssse"]
    assert resistance == pytest.approx(abs(1 / conductance - 227.1772) / 92.2937, abs=0.01)
    assert outcome.holding_current == pytest.approx((-84.1203 - REST) * conductance, abs=1e-3)
    # What crosses the spike threshold, -20 mV, counts as firing; the features then tell that it is none.
    assert outcome.threshold_current == pytest.approx((-20 + 84.1203) * conductance, abs=2e-3)
    verdict = judge(outcome, Generalise(nodes="cells"))
    assert not verdict.accepted and "APWaveform_360.soma.v.AP1_amp" in verdict.reason


def test_workers_that_die_or_never_end_cost_only_their_own_pair(tmp_path):
    files = {}
    for index, name in enumerate(("dies", "fine", "last", "works")):
        files[name] = tmp_path / f"{name}.swc"
        files[name].write_text(str(index))
    found = run(Rogue(), files, "x", tmp_path)
    assert "failed: ProcessExpired" in found["dies"].reason
    # Processor time is no matter of a busy machine: this one is kept.
    assert found["works"].reason == "took longer than 1 s of processor time"
    assert [found[name].reason for name in ("fine", "last")] == ["", ""]
    assert len(list((tmp_path / "store").rglob("*.json"))) == 3


def test_what_sleeps_is_ended_by_the_clock():
    found = map_surviving(sleep, [0.0, 600.0], 1, "sleep", limit=1.0, patience=2.0)
    assert found == [0.0, "took longer than 2 s"] and not isinstance(found[1], Late)
