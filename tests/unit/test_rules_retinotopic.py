"""The law ``retinotopic`` against a plain loop over all pairs, its numbers, checks and files."""

import math

import numpy as np
import pandas as pd
import pytest
from rule_nodes import all_edges, cells, rule
from scipy import stats

from pipeline.config.rules import RuleEdges
from pipeline.edges.rules import parts
from pipeline.edges.rules.build import Builder, compile_network
from pipeline.edges.rules.tables import Findings
from pipeline.errors import ConfigError
from pipeline.philox import rule_key, uniforms_array
from pipeline.runtime import file_hash

NAMES = parts.Names("lgn__v1__chemical", "lgn", "v1")
FREQUENCY = {"sON": [1, 2, 4, 8], "sOFF": [1, 2, 4, 8, 15], "tOFF": [4, 8, 15], "dual": [np.nan]}
LAW = {
    "law": "retinotopic", "probability": 0.8, "sustained_on": 0.75, "frequency_mean": 2,
    "distance": {"low": 3, "high": 8}, "width": {"low": 6, "high": 14},
    "aspect": {"low": 1, "high": 2.5}, "centre": [60, 40], "degrees_per_um": [0.07, 0.04],
    "units": {"by": "subclass", "frequency": "tf", "sustained_on": ["sON"],
              "sustained_off": ["sOFF"], "transient": ["tOFF"], "dual": ["dual"]},
}  # fmt: skip


def units(n=3000, seed=3):
    rng = np.random.default_rng(seed)
    kind = rng.choice(list(FREQUENCY), n)
    frame = pd.DataFrame({"x": 120 * rng.random(n), "y": 80 * rng.random(n), "subclass": kind})
    frame["tf"] = [rng.choice(FREQUENCY[k]) for k in kind]
    frame["tuning_angle"] = np.where(kind == "dual", 360 * rng.random(n), np.nan)
    return frame


def config(law, **keys):
    one = rule(law, "lgn", synapse=keys.pop("synapse", {}))
    data = {"kind": "rules", "source": "lgn", "target": "v1", "rules": [one], **keys}
    return RuleEdges.model_validate(data)


def build(source, target, law=LAW, naive=False, findings=None, **keys):
    return Builder(compile_network(config(law, **keys), 1, source, target, findings), naive)


def by_hand(source, target, law=LAW):
    """Every pair, one after the other, from the words of the law; draws by the NumPy twin."""
    key = rule_key(1, "lgn")
    ids = np.arange(len(source))
    x, y, kind = source["x"].to_numpy(), source["y"].to_numpy(), source["subclass"].to_numpy()
    pairs, details = [], []
    for t, cell in enumerate(target.itertuples()):
        (u, sign), (near, wide), (long, tf) = (
            [float(v) for v in uniforms_array(key, 0, t, 16, i)] for i in range(3)
        )
        if u >= law["probability"]:
            details.append(None)
            continue
        pick = [law[k]["low"] + v * (law[k]["high"] - law[k]["low"])
                for k, v in (("distance", near), ("width", wide), ("aspect", long))]  # fmt: skip
        half, minor = pick[0] / 2, pick[1] / 2
        major = minor * pick[2]
        mean = law["frequency_mean"]
        low = stats.poisson.cdf(0, mean)
        wanted = stats.poisson.ppf(low + tf * (1 - low), mean)
        centre = [60 + math.degrees(math.tan(math.radians(0.07 * cell.x))),
                  40 + math.degrees(math.tan(math.radians(0.04 * cell.z)))]  # fmt: skip
        axis = np.radians(cell.tuning_angle)
        turn = axis + np.radians(270)
        sustained = "sON" if sign < law["sustained_on"] else "sOFF"
        draws = uniforms_array(key, ids, t, 17)[0]
        dual = ("dual", 0, minor, half * 0.5)
        for name, side, along, across in (
            (sustained, -1, major, minor), ("tOFF", 1, major, minor), dual,
        ):  # fmt: skip
            dx = x - centre[0] - side * half * np.cos(axis)
            dy = y - centre[1] - side * half * np.sin(axis)
            a = dx * np.cos(turn) + dy * np.sin(turn)
            b = -dx * np.sin(turn) + dy * np.cos(turn)
            inside = (a / along) ** 2 + (b / across) ** 2 <= 1
            if name == "dual":
                delta = np.abs((source["tuning_angle"] - cell.tuning_angle + 90) % 180 - 90)
                chance = (delta < 15).to_numpy(float)
            else:
                own = np.array(FREQUENCY[name])
                total = np.abs(wanted - own).sum()
                chance = (1 - np.abs(wanted - source["tf"].to_numpy()) / total) / (len(own) - 1)
            taken = inside & (kind == name) & (draws < chance)
            pairs += [(t, int(s)) for s in ids[taken]]
        details.append((sustained, wanted))
    return sorted(pairs), details


@pytest.mark.parametrize("naive", [False, True])
def test_agrees_with_a_loop_over_all_pairs(naive):
    source, target = units(), cells(150)
    block = all_edges(build(source, target, naive=naive))
    found = list(zip(block.targets.tolist(), block.sources.tolist(), strict=True))
    expected, _ = by_hand(source, target)
    assert len(expected) > 900
    assert found == expected  # sorted, each pair once


def test_units_stay_in_their_ellipse_and_the_sides_are_right():
    law = LAW | {"probability": 1.0, "distance": {"low": 30, "high": 30}}
    source, target = units(9000), cells(80)
    block = all_edges(build(source, target, law))
    s, t = block.sources.astype(int), block.targets.astype(int)
    centre = np.array([60, 40]) + np.degrees(
        np.tan(np.radians(target[["x", "z"]].to_numpy() * [0.07, 0.04]))
    )
    axis = np.radians(target["tuning_angle"].to_numpy()[t])
    away = source[["x", "y"]].to_numpy()[s] - centre[t]
    along = away[:, 0] * np.cos(axis) + away[:, 1] * np.sin(axis)
    kind = source["subclass"].to_numpy()[s]
    assert (along[kind == "tOFF"] >= 15 - 7).all()  # transient ahead, minor half-axis at most 7
    assert (along[(kind == "sON") | (kind == "sOFF")] <= -(15 - 7)).all()
    assert (np.hypot(*away.T) <= 15 + 7 * 2.5).all()
    behind = all_edges(build(source, target, law | {"transient_ahead": False}))
    kind = source["subclass"].to_numpy()[behind.sources.astype(int)]
    away = source[["x", "y"]].to_numpy()[behind.sources.astype(int)]
    away = away - centre[behind.targets.astype(int)]
    axis = np.radians(target["tuning_angle"].to_numpy()[behind.targets.astype(int)])
    along = away[:, 0] * np.cos(axis) + away[:, 1] * np.sin(axis)
    assert (along[kind == "tOFF"] <= -(15 - 7)).all()


def test_shares_of_input_sign_and_frequency():
    source, target = units(6000), cells(4000)
    rows = source.index[source["subclass"] == "sON"]
    rows = rows[: len(rows) // 4 * 4]  # four units, one of each frequency, at every place
    source.loc[rows, ["x", "y"]] = source.loc[rows[::4], ["x", "y"]].to_numpy().repeat(4, axis=0)
    source.loc[rows, "tf"] = np.tile(FREQUENCY["sON"], len(rows) // 4)
    block = all_edges(build(source, target))
    wired = np.unique(block.targets)
    low, high = stats.binom.interval(1 - 1e-6, 4000, 0.8)
    assert low <= len(wired) <= high
    kind = source["subclass"].to_numpy()[block.sources.astype(int)]
    on = np.unique(block.targets[kind == "sON"])
    off = np.unique(block.targets[kind == "sOFF"])
    assert not np.intersect1d(on, off).size  # one sign per cell
    low, high = stats.binom.interval(1 - 1e-6, len(on) + len(off), 0.75)
    assert low <= len(on) <= high
    # Over sON units, the kept share of a frequency is the mean chance over Poisson(2) above 0.
    wanted = np.arange(1, 40)
    weight = stats.poisson.pmf(wanted, 2) / stats.poisson.sf(0, 2)
    own = np.array(FREQUENCY["sON"])
    total = np.abs(wanted[:, None] - own).sum(axis=1)
    chance = ((1 - np.abs(wanted[:, None] - own) / total[:, None]) / 3 * weight[:, None]).sum(
        axis=0
    )
    tf = source["tf"].to_numpy()
    kept = np.array([(tf[block.sources.astype(int)][kind == "sON"] == f).sum() for f in own])
    expected = chance / chance.sum()
    assert np.abs(kept / kept.sum() - expected).max() < 0.02


def test_numbers_by_class_from_a_table(tmp_path):
    (tmp_path / "t.csv").write_text(
        "pop,probability,sustained_on,width_min,width_max,source\n"
        "a,0,,,,x\nb,0.5,1,,,x\nc,1,0,20,20,x\n"
    )
    source, target = units(), cells(3000)
    law = LAW | {"table": "t.csv", "by": "pop"}
    block = all_edges(build(source, target, law, findings=Findings(folder=lambda p: tmp_path / p)))
    pop = target["pop"].to_numpy()
    wired = np.isin(np.arange(3000), block.targets)
    assert not wired[pop == "a"].any() and wired[pop == "c"].mean() > 0.99
    low, high = stats.binom.interval(1 - 1e-6, (pop == "b").sum(), 0.5)
    assert low <= wired[pop == "b"].sum() <= high
    kinds = source["subclass"].to_numpy()[block.sources.astype(int)]
    mine = pop[block.targets.astype(int)]
    assert not (kinds[mine == "b"] == "sOFF").any() and not (kinds[mine == "c"] == "sON").any()


def test_bytes_do_not_depend_on_blocks_and_parts(tmp_path):
    source, target = units(), cells(400)
    parts.write_whole(build(source, target), tmp_path / "a.h5", NAMES)
    parts.write_whole(build(source, target), tmp_path / "b.h5", NAMES, most=37)
    for part in (2, 0, 1):
        parts.write_part(build(source, target), tmp_path / "c.h5", NAMES, part, 3)
    parts.merge_parts(build(source, target, memory=0.1), tmp_path / "c.h5", NAMES, 3)
    assert file_hash(tmp_path / "a.h5") == file_hash(tmp_path / "b.h5")
    assert file_hash(tmp_path / "a.h5") == file_hash(tmp_path / "c.h5")
    wider = LAW | {"width": {"low": 6, "high": 15}}
    stale = build(source, target, wider).network
    assert parts.network_token(stale, [0]) != parts.network_token(
        build(source, target).network, [0]
    )


def test_bytes_do_not_depend_on_threads():
    import numba

    source, target = units(), cells(400)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        one = all_edges(build(source, target))
    finally:
        numba.set_num_threads(before)
    many = all_edges(build(source, target))
    np.testing.assert_array_equal(one.sources, many.sources)
    np.testing.assert_array_equal(one.targets, many.targets)


def test_a_small_population_is_planned_exactly():
    made = build(units(), cells(200))
    assert made.expected().edges == pytest.approx(len(all_edges(made).sources))


def problems_of(source, target, law=LAW, **keys):
    with pytest.raises(ConfigError) as error:
        build(source, target, law, **keys)
    return [str(problem) for problem in error.value.problems]


def test_what_is_missing_is_said():
    source, target = units(500), cells(50)
    (found,) = problems_of(source, target.drop(columns="tuning_angle"))
    assert "needs tuning angles" in found
    (found,) = problems_of(source, target.drop(columns="z"))
    assert "needs positions" in found
    (found,) = problems_of(source.drop(columns="tf"), target)
    assert "no attribute 'tf'" in found and "units.frequency" in found
    (found,) = problems_of(source.assign(tf=np.nan), target)
    assert "have no frequency" in found
    (found,) = problems_of(source.assign(tuning_angle=np.nan), target)
    assert "dual units have no tuning angle" in found
    (found,) = problems_of(source, target, LAW | {"centre": [1000, 40]})
    assert "no unit lies within reach" in found
    (found,) = problems_of(source, target, LAW | {"degrees_per_um": [1, 1]})
    assert "tangent ends at 90" in found
    wrong = LAW | {"units": LAW["units"] | {"transient": ["tON"]}}
    (found,) = problems_of(source, target, wrong)
    assert "units.transient[0]" in found and "'tON'" in found
    (found,) = problems_of(source, target, LAW | {"probability": 0.0})
    assert "probability is 0" in found


@pytest.mark.parametrize("change, message", [
    ({"width": {"low": 9, "high": 3}}, "low (9) is above high (3)"),
    ({"width": {"low": 0, "high": 3}}, "greater than 0"),
    ({"aspect": {"low": 0.5, "high": 3}}, "greater than or equal to 1"),
    ({"table": "t.csv"}, "belong together"),
    ({"probability": 1.5}, "not between 0 and 1"),
    ({"units": LAW["units"] | {"dual": ["tOFF"]}}, "stand twice: tOFF"),
])  # fmt: skip
def test_impossible_numbers_are_refused(change, message):
    with pytest.raises(ValueError, match=".*") as error:
        config(LAW | change)
    assert message in str(error.value)


def test_it_stands_alone():
    with pytest.raises(ValueError, match="takes no other factors"):
        config([LAW, {"law": "probability", "value": 0.5}])


def test_problems_of_the_table_name_its_lines(tmp_path):
    table = tmp_path / "t.csv"
    findings = lambda: Findings(folder=lambda p: tmp_path / p)  # noqa: E731
    law = LAW | {"table": "t.csv", "by": "pop"}
    table.write_text("pop,probability,width_min,aspect_min\na,1.5,,\nb,x,,\nb,1,99,0.2\n")
    found = problems_of(units(100), cells(50), law, findings=findings())
    text = "\n".join(found)
    assert f"{table}:2" in text and "not between 0 and 1" in text
    assert f"{table}:4" in text and "stands twice" in text and "width_min (99) is above" in text
    assert "no line for pop 'c'" in text and "aspect_min is 0.2" in text
    table.write_text("pop,probabilty\na,1\nb,1\nc,1\n")
    (only,) = problems_of(units(100), cells(50), law, findings=findings())
    assert "unknown columns ['probabilty']" in only
    table.unlink()
    (only,) = problems_of(units(100), cells(50), law, findings=findings())
    assert "cannot read" in only and "t.csv" in only
