"""Touch detection against a naive search over all pairs of segments, on hand-made circuits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cells.morphology import Morphology, Section
from pipeline.edges.touch.arrays import AXON, BASAL, SOMA, TOUCH, Cells, TouchRules
from pipeline.edges.touch.detect import detect
from pipeline.edges.touch.geometry import join_shapes
from pipeline.edges.touch.index import build_index
from pipeline.edges.touch.kernel import nearest_on, overlap
from pipeline.philox import rule_key, uniforms_array

SEED = 7


def world(cells, cell, points):
    """Points of a shape in the circuit: float32, multiplied out as the definition says."""
    turn, at = cells.rotation[cell].astype(np.float64), cells.position[cell]
    p = np.asarray(points, np.float64)
    rows = [
        turn[r, 0] * p[:, 0] + turn[r, 1] * p[:, 1] + turn[r, 2] * p[:, 2] + at[r] for r in range(3)
    ]
    return np.stack(rows, axis=1).astype(np.float32).astype(np.float64)


def naive_overlaps(shapes, cells, rules, pre):
    """Overlaps of every axon segment with every target: {(section, post): [(low, high, k, row)]}."""
    found = {}
    low, high = shapes.first[cells.morphology[pre]], shapes.first[cells.morphology[pre] + 1]
    for k in [k for k in range(low, high) if shapes.kind[k] == AXON]:
        (a,), (b,) = (world(cells, pre, e[k : k + 1]) for e in (shapes.start, shapes.end))
        length = math.sqrt(sum((b[i] - a[i]) * (b[i] - a[i]) for i in range(3)))
        d = (b - a) / length if length > 0 else np.zeros(3)
        for post in range(len(cells)):
            bits = rules.allowed[cells.mtype[pre], cells.mtype[post]]
            shape = cells.morphology[post]
            rows = np.arange(shapes.first[shape], shapes.first[shape + 1])
            rows = rows[shapes.kind[rows] != AXON]
            p, q = world(cells, post, shapes.start[rows]), world(cells, post, shapes.end[rows])
            for row, start, end in zip(rows, p, q, strict=True):
                if post == pre or not bits & (6 if shapes.kind[row] == SOMA else 1):
                    continue
                reach = shapes.radius[row] + rules.spine_length[cells.mtype[post]]
                total = float(shapes.radius[k]) + float(reach)
                s, t = overlap(*(start - a), *(end - a), *d, length, total)
                if s <= t:
                    arc = float(shapes.arc[k])
                    item = (np.float32(arc + s), np.float32(arc + t), k, row)
                    found.setdefault((int(shapes.section[k]), post), []).append(item)
    return found


def naive_detect(shapes, cells, rules, pre_ids, seed=SEED):
    """The records that ``detect`` must return, in plain Python."""
    key, records = rule_key(seed, "touches"), []
    for pre in pre_ids:
        numbers = {}
        for (section, post), items in sorted(naive_overlaps(shapes, cells, rules, pre).items()):
            regions = []
            for item in sorted(items, key=lambda item: item[0]):
                if regions and item[0] - max(i[1] for i in regions[-1]) <= rules.region_gap:
                    regions[-1].append(item)
                else:
                    regions.append([item])
            for number, region in enumerate(regions):
                for arc in naive_places(key, rules, pre, post, section, number, region):
                    record = naive_touch(shapes, cells, rules, pre, post, section, region, arc)
                    if record:
                        order = numbers[post] = numbers.get(post, -1) + 1
                        records.append((pre, post, order, *record))
    return np.sort(np.array(records, TOUCH), order=("pre", "post", "order"))


def naive_places(key, rules, pre, post, section, number, region):
    """Arcs of the boutons of one region."""
    low, high = rules.spacing
    arc, last, index = float(region[0][0]), float(max(i[1] for i in region)), 0
    while arc <= last:
        u, v = uniforms_array(key, pre, post, section + (number << 16), index)
        step = low + (high - low) * float(v)
        if index == 0:
            arc += float(u) * min(step, last - arc)
        if not any(i[0] <= arc <= i[1] for i in region):
            arc = float(min(i[0] for i in region if i[0] > arc))
        yield arc
        arc, index = arc + step, index + 1


def naive_touch(shapes, cells, rules, pre, post, section, region, arc):
    """The fields of one touch after pre, post and order; none if a filter drops it."""
    near = []
    for low, high, k, row in region:
        if low <= arc <= high:
            (a,), (b,) = (world(cells, pre, e[k : k + 1]) for e in (shapes.start, shapes.end))
            length = math.sqrt(sum((b[i] - a[i]) * (b[i] - a[i]) for i in range(3)))
            d = (b - a) / length if length > 0 else np.zeros(3)
            place = min(max(arc - float(shapes.arc[k]), 0.0), length)
            (p,), (q,) = (world(cells, post, e[row : row + 1]) for e in (shapes.start, shapes.end))
            distance, along = nearest_on(*p, *q, *(a + place * d))
            gap = distance - (float(shapes.radius[k]) + float(shapes.radius[row]))
            near.append((gap, row, k, place, along))
    gap, row, k, place, along = min(near)
    path, moved = float(shapes.path[row]) + along, False
    if shapes.kind[row] == SOMA:
        moved = bool(rules.allowed[cells.mtype[pre], cells.mtype[post]] & 4)
    elif path < rules.soma_filter[0 if cells.inhibitory[post] else 1]:
        return None
    if moved:
        row, along = shapes.initial_segment[cells.morphology[post]], 0.0
        if row < 0:
            return None
        path = shapes.path[row]
    return (
        section, shapes.segment[k], place, shapes.section[row], shapes.segment[row], along, gap,
        float(shapes.path[k]) + place, path, shapes.kind[row],
    )  # fmt: skip


def cell(axons, dendrites, soma=5.0, name="cell"):
    """A morphology of polylines: lists of (points, diameter); neurites hang on the soma."""
    ends = np.array([[0, -soma, 0], [0, soma, 0]], float)
    sections = [Section(1, -1, ends, np.array([2 * soma, 2 * soma]))]
    for kind, lines in ((2, axons), (3, dendrites)):
        for points, wide in lines:
            points = np.asarray(points, float)
            sections.append(Section(kind, 0, points, np.full(len(points), float(wide))))
    return Morphology(name, tuple(sections))


def placed(morphologies, position, morphology=None, mtype=None, turns=None, inhibitory=None):
    """Shapes and cells."""
    n = len(position)
    rotation = np.tile(np.eye(3, dtype=np.float32), (n, 1, 1))
    if turns is not None:
        rotation = np.asarray(turns, np.float32)
    zero = np.zeros(n, int)
    cells = Cells(
        np.asarray(morphology if morphology is not None else zero, np.int32),
        np.asarray(position, float), rotation,
        np.asarray(mtype if mtype is not None else zero, np.int16), zero.astype(np.int16),
        np.asarray(inhibitory if inhibitory is not None else zero, np.uint8),
    )  # fmt: skip
    return join_shapes([f"m{i}" for i in range(len(morphologies))], morphologies), cells


def rules_of(allowed=((3,),), spine=(2.5,), **more):
    return TouchRules(np.array(spine, np.float32), np.array(allowed, np.uint8), **more)


def check(shapes, cells, rules, **grid):
    """Equal to the naive answer; returns the touches."""
    ids = np.arange(len(cells))
    index = build_index(shapes, cells, rules, **grid)
    got, want = (
        detect(shapes, cells, rules, index, ids, SEED),
        naive_detect(shapes, cells, rules, ids),
    )
    assert got.tobytes() == want.tobytes()
    return got


QUARTERS = [
    np.eye(3), np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
]  # fmt: skip


def any_turn(draw):
    if draw(st.booleans()):
        return QUARTERS[draw(st.integers(0, 2))]
    q, r = np.linalg.qr(np.random.default_rng(draw(st.integers(0, 999))).normal(size=(3, 3)))
    return q * np.sign(np.diag(r))


@st.composite
def circuits(draw):
    """Cells on a coarse lattice (parallel, crossing, end to end, degenerate) or anywhere."""
    lattice = draw(st.booleans())
    step = draw(st.sampled_from([1.25, 2.5, 10.0, 60.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def lines(count):
        for _ in range(count):
            walk = rng.normal(0, 1, (rng.integers(2, 6), 3)) * step
            walk = np.round(walk / step) * step if lattice else walk
            yield (
                np.cumsum(walk, axis=0),
                float(rng.choice([1e-3, 0.4, 2.0, 30.0], p=[0.2, 0.5, 0.2, 0.1])),
            )

    shapes = [
        cell(lines(draw(st.integers(1, 3))), lines(3), rng.choice([0.5, 5.0])) for _ in range(2)
    ]
    n = draw(st.integers(2, 5))
    position = rng.normal(0, 2 * step, (n, 3)) + draw(st.sampled_from([0.0, -1500.0]))
    position = np.round(position / step) * step if lattice else position
    shapes, cells = placed(
        shapes, position, rng.integers(0, 2, n), rng.integers(0, 2, n),
        [any_turn(draw) for _ in range(n)], rng.integers(0, 2, n),
    )  # fmt: skip
    gap = draw(st.sampled_from([0.0, 5.0, 40.0]))
    spacing = draw(st.sampled_from([(5.0, 7.0), (0.5, 0.6)]))
    spine = draw(st.sampled_from([(2.5, 0.5), (0.0, 20.0)]))
    filters = draw(st.sampled_from([(5.0, 25.0), (0.0, 0.0)]))
    allowed = rng.integers(0, 8, (2, 2))
    return (
        shapes,
        cells,
        rules_of(allowed, spine, region_gap=gap, spacing=spacing, soma_filter=filters),
    )


@given(circuits(), st.sampled_from([None, 0.7, 5.0, 500.0]), st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=120, deadline=None)
def test_every_touch_and_no_other(circuit, base, edge):
    check(*circuit, base=base, edge=edge)


def distances(s, p, q, d):
    """Distance of the points s d to the segment p q, by clamping: float64 like s."""
    x, e = s[:, None] * d, q - p
    t = np.clip((x - p) @ e / max(e @ e, 1e-300), 0, 1)
    return np.linalg.norm(x - p - t[:, None] * e, axis=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 1.0, 10.0, 500.0]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_overlap_is_where_the_distance_is_small(seed, size, lattice):
    rng = np.random.default_rng(seed)
    a, b, p, q = rng.normal(0, size, (4, 3))
    if lattice:
        a, b, p, q = (np.round(v / size * 2) * size / 2 for v in (a, b, p, q))
    if rng.random() < 0.2:
        q = p + (b - a) * rng.uniform(-2, 2) + rng.normal(0, 10.0 ** rng.integers(-15, -3), 3)
    length = float(np.linalg.norm(b - a))
    d = (b - a) / length if length else np.zeros(3)
    reach = float(rng.choice([0.001, 0.5, 3.0, 100.0]))
    low, high = overlap(*(p - a), *(q - a), *d, length, reach)
    s = np.linspace(0, length, 513)
    for _ in range(6):  # zoom in: the distance is convex along the line
        gaps = distances(s, p - a, q - a, d)
        best = int(gaps.argmin())
        s = np.linspace(s[max(best - 1, 0)], s[min(best + 1, 512)], 513)
    nearest, slack = float(gaps.min()), 1e-6
    if nearest < reach - slack:
        assert low <= high
    if nearest > reach + slack:
        assert low > high
    if low <= high:
        at = distances(np.array([low, high]), p - a, q - a, d)
        assert np.all(at <= reach + slack)
        assert low == 0 or abs(at[0] - reach) < slack
        assert high == length or abs(at[1] - reach) < slack


def line(y, z=0.0, x=(-40.0, 40.0), n=9):
    return np.column_stack([np.linspace(*x, n), np.full(n, y), np.full(n, z)])


def two_cells(axon, dendrite, soma=2.0, wide=1.0, **more):
    shapes = [cell([(axon, 0.4)], []), cell([(line(0.0, 200.0), 1.0)], [(dendrite, wide)], soma)]
    return placed(shapes, [[0, 300.0, 0], [0, 0, 0]], [0, 1], **more)


def test_boutons_stand_at_their_intervals_within_reach():
    shapes, cells = two_cells(line(-300.0 + 2.0), line(0.0), soma=0.1)
    found = check(shapes, cells, rules_of(soma_filter=(0.0, 0.0)))
    steps = np.diff(found["path"])
    assert len(found) >= 12 and np.all((steps >= 5) & (steps <= 7))
    assert np.allclose(found["distance"], 2.0 - 0.2 - 0.5, atol=1e-5)
    assert list(found["order"]) == list(range(len(found)))


def test_spine_length_is_that_of_the_target_type():
    shapes, cells = two_cells(line(-300.0 + 2.0), line(0.0), soma=0.1, mtype=[0, 1])
    loose = rules_of(np.full((2, 2), 1), (0.0, 1.31), soma_filter=(0.0, 0.0))
    assert len(check(shapes, cells, loose))
    tight = replace(loose, spine_length=np.array([99.0, 1.29], np.float32))
    assert not len(check(shapes, cells, tight))


def test_cells_do_not_touch_themselves():
    shapes, cells = placed([cell([(line(0.0), 1.0)], [(line(1.0), 1.0)])], [[0, 0, 0]])
    assert not len(check(shapes, cells, rules_of()))


@pytest.mark.parametrize(
    "bits, kinds",
    [(0, set()), (1, {BASAL}), (2, {SOMA}), (3, {SOMA, BASAL}), (4, {AXON}), (5, {AXON, BASAL})],
)
def test_allowed_targets(bits, kinds):
    """The axon passes a soma, then runs along a dendrite."""
    axon = np.concatenate([line(-300.0, x=(-40.0, 12.0)), line(-294.0, x=(20.0, 60.0))])
    shapes, cells = two_cells(axon, line(8.0, x=(20.0, 60.0)), soma=6.0)
    found = check(shapes, cells, rules_of([[bits]], (2.5,), soma_filter=(0.0, 0.0)))
    assert set(found["post_kind"].tolist()) == kinds


def test_soma_touches_move_to_the_initial_segment():
    shapes, cells = two_cells(line(-300.0 + 3.0), line(99.0), soma=2.0)
    found = check(shapes, cells, rules_of([[4]]))
    assert len(found) and np.all(found["post_kind"] == AXON)
    assert np.all(found["post_section"] == 1) and not found["post_segment"].any()
    assert not found["post_offset"].any() and not found["post_path"].any()


def test_dendritic_touches_near_the_soma_are_dropped_by_class():
    dendrite = line(0.0, x=(0.0, 80.0))
    for inhibitory, nearest in ((1, 5.0), (0, 25.0)):
        shapes, cells = two_cells(
            line(-300.0 + 2.0, x=(-40.0, 80.0)), dendrite, soma=0.1, inhibitory=[0, inhibitory]
        )
        found = check(shapes, cells, rules_of([[1]]))
        assert nearest <= found["post_path"].min() < nearest + 7.0


def crowd(n=40):
    rng = np.random.default_rng(5)
    kinds = [
        cell(
            *(
                [(np.cumsum(rng.normal(0, 4, (10, 3)), axis=0), 0.5) for _ in range(12)]
                for _ in "ab"
            )
        )
        for _ in range(3)
    ]
    return placed(kinds, rng.uniform(0, 60, (n, 3)), rng.integers(0, 3, n))


def test_same_bytes_for_any_threads_blocks_and_grids():
    shapes, cells = crowd()
    rules, ids = rules_of(), np.arange(40)
    index = build_index(shapes, cells, rules)
    want = detect(shapes, cells, rules, index, ids, SEED)
    assert len(want) > 1000
    assert np.all(np.diff(want["pre"].astype(np.int64) * 40 + want["post"]) >= 0)
    assert (
        detect(shapes, cells, rules, index, ids[::-1], SEED, threads=2).tobytes() == want.tobytes()
    )
    parts = [detect(shapes, cells, rules, index, part, SEED) for part in np.array_split(ids, 7)]
    assert np.concatenate(parts).tobytes() == want.tobytes()
    for base, edge in ((3.1, 0.5), (20.0, 2.0)):
        other = build_index(shapes, cells, rules, threads=2, base=base, edge=edge)
        assert detect(shapes, cells, rules, other, ids, SEED).tobytes() == want.tobytes()
    assert detect(shapes, cells, rules, index, ids, SEED + 1).tobytes() != want.tobytes()


def test_no_cells_and_no_axons():
    shapes, cells = placed([cell([], [(line(0.0), 1.0)])], [[0, 0, 0], [1, 1, 1]])
    index = build_index(shapes, cells, rules_of())
    assert len(detect(shapes, cells, rules_of(), index, [], SEED)) == 0
    assert len(detect(shapes, cells, rules_of(), index, [0, 1], SEED, threads=2)) == 0
