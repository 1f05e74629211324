"""One description of a GLIF cell: Allen and NEST parameters in, NEST parameters out."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells.glif import Glif, from_allen, from_nest, read_glif
from pipeline.cells.glif_synapses import Port, nest_parameters
from pipeline.errors import ConfigError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
from glif_cells import FILES, synthetic  # noqa: E402

METHODS = {
    1: ("zero", "none", "inf"),
    2: ("v_before", "none", "spike_component"),
    3: ("zero", "exp", "inf"),
    4: ("v_before", "exp", "spike_component"),
    5: ("v_before", "exp", "three_components_exact"),
}


def allen(level):
    """Allen parameters made by hand; every factor differs from 1."""
    reset, currents, threshold = METHODS[level]
    jump = {"a": 0.3, "b": 4e-3}
    spike = {"a_spike": 2e-3, "b_spike": 50.0, "a_voltage": 4.0, "b_voltage": 20.0}
    return {
        "El_reference": -0.07, "El": 0.001, "C": 1e-10, "R_input": 2e8, "th_inf": 0.02,
        "init_threshold": 0.02, "spike_cut_length": 60, "dt": 5e-5,
        "asc_amp_array": [-1e-11, -2e-10], "asc_tau_array": [0.1, 0.01],
        "init_AScurrents": [1e-12, 0.0],
        "coeffs": {"C": 1.1, "G": 0.9, "th_inf": 1.2, "a": 2.0, "b": 3.0, "asc_amp_array": [0.5, 2]},
        "voltage_reset_method": {"name": reset, "params": jump if reset == "v_before" else {}},
        "AScurrent_dynamics_method": {"name": currents, "params": {}},
        "AScurrent_reset_method": {"name": "sum", "params": {"r": [1.0, 0.5]}},
        "threshold_dynamics_method": {"name": threshold, "params": spike if threshold != "inf" else {}},
        "type": "GLIF",
    }  # fmt: skip


@pytest.mark.parametrize("level", METHODS)
def test_allen_units_become_ours(level):
    cell = from_allen(allen(level))
    expected = {
        "level": level, "C": 0.11, "g": 0.0045, "E_L": -69.0, "threshold": -46.0, "V_reset": -70.0,
        "t_ref": 3.0,
    }  # fmt: skip
    assert {k: getattr(cell, k) for k in expected} == pytest.approx(expected)
    assert cell.asc_amps == pytest.approx((-0.005, -0.4)) and cell.asc_r == (1.0, 0.5)
    assert cell.asc_decay == pytest.approx((0.01, 0.1)) and cell.asc_init == pytest.approx(
        (1e-3, 0)
    )
    if level in (2, 4, 5):
        assert (cell.th_spike_add, cell.th_spike_decay) == pytest.approx((2.0, 0.05))
        assert (cell.voltage_reset_fraction, cell.voltage_reset_add) == pytest.approx((0.3, 4.0))
    if level == 5:
        assert (cell.th_voltage_index, cell.th_voltage_decay) == pytest.approx((8e-3, 0.06))


positive = st.floats(1e-3, 1e2)


@given(
    level=st.integers(1, 5), C=positive, g=positive, rest=st.floats(-90, -50),
    height=st.floats(1, 60), amps=st.lists(st.floats(-1, 1), min_size=1, max_size=4),
)  # fmt: skip
def test_nest_parameters_come_back(level, C, g, rest, height, amps):
    n = len(amps)
    rest_of = dict(th_spike_add=1.0, th_spike_decay=0.1, th_voltage_index=0.01, th_voltage_decay=0.02,
                   voltage_reset_fraction=0.5, voltage_reset_add=1.0)  # fmt: skip
    cell = Glif(level, C, g, rest, rest + height, rest - 1, 2.0, tuple(amps), (0.1,) * n,
                (1.0,) * n, (0.0,) * n, **rest_of)  # fmt: skip
    again = from_nest(json.loads(json.dumps(cell.to_nest())))
    used = ["level", "C", "g", "E_L", "threshold", "V_reset", "t_ref"]
    used += ["asc_amps", "asc_decay", "asc_r"] if cell.after_spike_currents else []
    used += ["th_spike_add", "voltage_reset_add"] if cell.reset_rule else []
    used += ["th_voltage_index", "th_voltage_decay"] if cell.adapting_threshold else []
    for name in used:
        assert getattr(again, name) == pytest.approx(getattr(cell, name), rel=1e-12), name


def test_old_names_of_nest_are_understood():
    old = {
        "V_th": -45.0, "g": 5.0, "E_L": -70.0, "C_m": 100.0, "t_ref": 3.0, "asc_amps": [-10.0],
        "k": [0.01], "init_AScurrents": [1.0], "a_spike": 1.0, "b_spike": 0.1, "a_reset": 0.2,
        "b_reset": 3.0, "spike_dependent_threshold": True, "after_spike_currents": True,
        "adapting_threshold": False,
    }  # fmt: skip
    cell = from_nest(old)
    assert (cell.level, cell.asc_decay, cell.asc_init, cell.V_reset) == (4, (0.01,), (1e-3,), -70.0)
    assert (cell.th_spike_add, cell.voltage_reset_fraction) == (1.0, 0.2)


def test_files_without_th_inf_have_init_threshold():
    data = allen(1)
    del data["th_inf"]
    assert from_allen(data).threshold == pytest.approx(-46.0)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"C": None}, "C: missing"),
        ({"R_input": "large"}, "R_input: 'large' (expected a number above 0)"),
        ({"asc_tau_array": [0.1]}, "expected a list of 2 finite numbers"),
        ({"spike_cut_length": 0}, "t_ref is 0"),
        ({"th_inf": -0.1}, "the reset must lie below the threshold"),
        ({"AScurrent_dynamics_method": {}}, "AScurrent_dynamics_method.name: missing"),
    ],
)
def test_wrong_files_are_told_by_key(tmp_path, change, said):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(allen(3) | change))
    with pytest.raises(ConfigError) as caught:
        read_glif(path)
    assert f"{path}: " in str(caught.value) and said in str(caught.value)


def test_all_problems_of_a_file_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        from_allen(allen(3) | {"C": None, "dt": "x"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": 1}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match="not JSON|neither an Allen nor a NEST"):
        read_glif(tmp_path / "x.json")
    with pytest.raises(ConfigError, match="cannot read"):
        read_glif(tmp_path / "none.json")


def test_no_level_has_an_adapting_threshold_alone():
    values = synthetic()["synthetic_3"].to_nest() | {"adapting_threshold": True}
    with pytest.raises(ConfigError, match="no GLIF level"):
        from_nest(values)


def test_ports_for_each_kind_of_synapse():
    cell, port = synthetic()["synthetic_1"], Port(2.0, 6.0, 0.3, -80.0)
    assert nest_parameters(cell, "psc", [port])["tau_syn"] == [2.0]
    double = nest_parameters(cell, "psc_double_alpha", [port])
    assert (double["tau_syn_fast"], double["tau_syn_slow"], double["amp_slow"]) == ([2], [6], [0.3])
    cond = nest_parameters(cell, "cond", [port])
    assert cond["E_rev"] == [-80.0] and cond["g_m"] == pytest.approx(6.0) and "g" not in cond
    with pytest.raises(ConfigError, match="port 1: E_rev is None"):
        nest_parameters(cell, "cond", [dataclasses.replace(port, E_rev=None)])


@pytest.mark.skipif(not FILES.is_dir(), reason="the published files are not beside us")
def test_published_files_read():
    levels = [read_glif(p).level for p in sorted(FILES.glob("glif_five_levels/*.json"))]
    assert sorted(levels) == [1, 2, 3, 4, 5]
    cells = [read_glif(path) for path in FILES.glob("glif3_cells/*.json")]
    assert len(cells) == 201 and {cell.level for cell in cells} == {3}


def test_the_example_of_the_docs_runs():
    page = (Path(__file__).resolve().parents[2] / "docs/glif.md").read_text()
    (code,) = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    exec(compile(code, "docs/glif.md", "exec"), {})
