"""Measures touch detection: time per touch as the circuit grows, and beside other ways.

    python bench/touch.py                  500, 2,000 and 8,000 cells, the bare kernels, brain-indexer
    python bench/touch.py --sizes 31346    the full column, presynaptic cells sampled (--sample 200)
    python bench/touch.py --all            every presynaptic cell also at sizes above 2,000

Cells lie uniformly in a hexagonal column (side 231 um, height 2,082 um; 31,346 cells); a smaller
circuit has a narrower column of the same density of somata. The axons leave a narrow column, so
touches per cell grow with its width; time per touch should not. Morphologies are the openly licensed
ones of the data folder (--data, or ../shared/data beside the checkout), simplified to --simplify um,
or random trees where there are none. brain-indexer (pip install brain-indexer) is asked three ways for
the neighbours of every axon segment: `written`, box_query of its MorphIndex as its guide writes it (best
effort); `boxes`, the core's own function beneath, boxes only, no distances; `exact`, that with exact
distances in NumPy. Each size runs in a process of its own; times exclude compiling. The load is printed:
other work counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from rows import tell

FULL, SIDE, HEIGHT = 31_346, 231.0, 2082.0
OPEN = ("full_apache2", "full_ccby4")
SPINE = 2.5
PEER = ("written", "boxes", "exact")
FIELDS = ["gid", "section_id", "segment_id"]
BYTES, ROOM = 114, 8e9
"""brain-indexer per segment, and what it may take."""


def simplified(points: np.ndarray, diameters: np.ndarray, tolerance: float):
    """Ramer-Douglas-Peucker on the points of one section."""
    keep, spans = np.zeros(len(points), bool), [(0, len(points) - 1)]
    keep[[0, -1]] = True
    while spans and tolerance > 0:
        low, high = spans.pop()
        if high - low < 2:
            continue
        chord, inner = points[high] - points[low], points[low + 1 : high] - points[low]
        t = np.clip(inner @ chord / max(chord @ chord, 1e-12), 0, 1)
        gap = np.linalg.norm(inner - t[:, None] * chord, axis=1)
        if gap.max() > tolerance:
            middle = low + 1 + int(gap.argmax())
            keep[middle] = True
            spans += [(low, middle), (middle, high)]
    keep |= tolerance <= 0
    return points[keep], diameters[keep]


def real_morphologies(folder: Path, tolerance: float):
    """Names, m-types and morphologies of the openly licensed files; soma a sphere, centred."""
    import morphio

    from pipeline.cells.morphology import Morphology, Section

    morphio.set_maximum_warnings(0)
    names, types, shapes = [], [], []
    with open(folder / "catalogue.csv") as handle:
        rows = [row for row in csv.DictReader(handle) if row["file"].startswith(OPEN)]
    for row in rows:
        raw = morphio.Morphology(str(folder / row["file"]))
        outline = raw.soma.points.astype(np.float64)
        centre = outline.mean(axis=0)
        r = max(float(np.linalg.norm(outline - centre, axis=1).mean()), 3.0)
        ends = np.array([[0.0, -r, 0.0], [0.0, r, 0.0]])
        sections = [Section(1, -1, ends, np.array([2 * r, 2 * r]))]
        for section in raw.sections:
            points = section.points.astype(np.float64) - centre
            parent = 0 if section.is_root else section.parent.id + 1
            kept = simplified(points, section.diameters.astype(np.float64), tolerance)
            sections.append(Section(int(section.type), parent, *kept))
        names.append(row["file"])
        types.append(row["m_type"])
        shapes.append(Morphology(row["file"], tuple(sections)))
    return names, types, shapes


def random_trees(count: int = 20):
    """Stand-ins: random walks of the lengths of real cells (axon 15 mm, dendrites 8 mm)."""
    from pipeline.cells.morphology import Morphology, Section

    rng, shapes = np.random.default_rng(3), []
    ball = Section(1, -1, np.array([[0, -8.0, 0], [0, 8.0, 0]]), np.array([16.0, 16.0]))
    for number in range(count):
        sections = [ball]
        for kind, walks, spread, wide in ((2, 120, 200.0, 0.3), (3, 66, 90.0, 0.8)):
            for _ in range(walks):
                start = rng.normal(0, spread, 3)
                steps = rng.normal(0, 1, 3) + rng.normal(0, 0.7, (18, 3))
                steps *= 7.0 / np.linalg.norm(steps, axis=1)[:, None]
                points = start + np.concatenate([[[0, 0, 0]], np.cumsum(steps, axis=0)])
                sections.append(Section(kind, 0, points, np.full(19, wide)))
        shapes.append(Morphology(f"tree{number}", tuple(sections)))
    return [s.name for s in shapes], ["L5_TPC"] * count, shapes


def circuit(n: int, data: Path, tolerance: float):
    """Shapes, placed cells and rules of a column of n cells."""
    from pipeline.edges.touch.arrays import Cells, TouchRules
    from pipeline.edges.touch.geometry import join_shapes

    folder = data / "blue-brain/morphologies"
    real = (folder / "catalogue.csv").is_file()
    names, types, shapes = real_morphologies(folder, tolerance) if real else random_trees()
    mtypes = sorted(set(types))
    exciting = np.array(["PC" in t or t in ("", "unassigned") for t in mtypes])
    rng, side = np.random.default_rng(1), SIDE * np.sqrt(n / FULL)
    places = np.empty((0, 2))
    while len(places) < n:
        xz = rng.uniform(-side, side, (4 * n, 2))
        inside = np.abs(xz[:, 0]) * np.sqrt(3) + np.abs(xz[:, 1]) <= np.sqrt(3) * side
        places = np.concatenate([places, xz[inside & (np.abs(xz[:, 1]) <= side * np.sqrt(0.75))]])
    position = np.column_stack([places[:n, 0], -HEIGHT * rng.random(n), places[:n, 1]])
    angle, turn = 2 * np.pi * rng.random(n), np.zeros((n, 3, 3), np.float32)
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 1, 1], turn[:, 2, 0] = np.sin(angle), 1, -np.sin(angle)
    chosen = rng.integers(0, len(shapes), n).astype(np.int32)
    mtype = np.array([mtypes.index(t) for t in types], np.int16)[chosen]
    inhibitory = (~exciting[mtype]).astype(np.uint8)
    cells = Cells(chosen, position, turn, mtype, np.zeros(n, np.int16), inhibitory, tuple(mtypes))
    soma = np.where(exciting[:, None], np.where(exciting[None], 0, 2), 2)
    allowed = (1 + soma).astype(np.uint8)
    rules = TouchRules(np.full(len(mtypes), SPINE, np.float32), allowed)
    return join_shapes(names, shapes), cells, rules, real


def column(args) -> dict:
    """Index and touches of one circuit, in blocks of cells as the pipeline asks for them."""
    from pipeline.edges.touch.detect import detect
    from pipeline.edges.touch.index import build_index

    shapes, cells, rules, real = circuit(args.n, args.data, args.simplify)
    options = {"base": args.base, "edge": args.edge} if args.edge else {"base": args.base}
    first = cells_subset(cells, 20)
    small = build_index(shapes, first, rules, args.threads, **options)
    detect(shapes, first, rules, small, range(20), 1, args.threads)  # compile
    start = time.perf_counter()
    index = build_index(shapes, cells, rules, args.threads, **options)
    built = time.perf_counter() - start
    rng = np.random.default_rng(2)
    whole = args.all or args.n <= 2_000
    pre = np.arange(args.n) if whole else np.sort(rng.permutation(args.n)[: args.sample])
    axon = np.bincount(np.repeat(np.arange(len(shapes.names)), np.diff(shapes.first)),
                       weights=shapes.kind == 2)  # fmt: skip
    length = np.bincount(np.repeat(np.arange(len(shapes.names)), np.diff(shapes.first)),
                         weights=np.where(shapes.kind == 2, shapes.length, 0))  # fmt: skip
    start, touches, pairs = time.perf_counter(), 0, 0
    for block in np.array_split(pre, max(1, len(pre) // 200)):
        found = detect(shapes, cells, rules, index, block, 1, args.threads)
        touches += len(found)
        pairs += int((found["order"] == 0).sum())
    took = time.perf_counter() - start
    segments = axon[cells.morphology[pre]].sum()
    overlapping, searched = search_only(shapes, cells, rules, index, pre, args.threads)
    return {
        "cells": args.n, "pre": len(pre), "real": real, "targets": int(index.total),
        "build": built, "detect": took, "search": searched, "overlaps": overlapping,
        "touches": touches, "pairs": pairs,
        "axon_segments": int(segments),
        "axon_mm": float(length[cells.morphology[pre]].sum() / 1e3),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        "projected": built + took * args.n / len(pre), "grid": len(index.starts),
    }  # fmt: skip


def search_only(shapes, cells, rules, index, pre, threads: int) -> tuple[int, float]:
    """Neighbours of every axon segment by exact distance, no boutons: what the peer is asked for."""
    from concurrent.futures import ThreadPoolExecutor

    from numba import njit

    from pipeline.edges.touch.detect import _axons, _place_axon
    from pipeline.edges.touch.search import new_rooms, search_section

    axons = _axons(shapes, cells, rules)

    @njit(nogil=True)
    def overlaps_of(axons, index, pre):
        axon, permitted = _place_axon(axons, pre), axons.allowed[axons.mtype[pre]]
        rooms, total, begin, n = new_rooms(), 0, 0, len(axon.length)
        while begin < n:
            end, section = begin, axons.section[axon.rows[begin]]
            while end < n and axons.section[axon.rows[end]] == section:
                end += 1
            rooms, count = search_section(
                index, axon, begin, end, pre, permitted, axons.mtype, rooms
            )
            total += count
            begin = end
        return total

    overlaps_of(axons, index, int(pre[0]))  # compile
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        found = sum(pool.map(lambda cell: overlaps_of(axons, index, int(cell)), pre))
    return found, time.perf_counter() - start


def cells_subset(cells, n: int):
    """The first cells, for compiling."""
    from dataclasses import fields, replace

    names = [f.name for f in fields(cells) if isinstance(getattr(cells, f.name), np.ndarray)]
    return replace(cells, **{name: getattr(cells, name)[:n] for name in names})


def bare(args) -> dict:
    """The kernels in a loop over arrays in cache, one thread: what no index can beat."""
    from numba import njit

    from pipeline.edges.touch.kernel import overlaps, sift

    rng, n = np.random.default_rng(0), 1024
    segments = np.full((7, n), 3.0, np.float32)
    segments[:3] = rng.uniform(-12, 12, (3, n))
    segments[3:6] = segments[:3] + rng.normal(0, 3, (3, n))
    flags, hits, bounds = np.zeros(n, np.uint8), np.arange(n, dtype=np.uint64), np.empty((2, n))
    axon = tuple(np.float32(v) for v in (0, 0, 0, 0.6, 0.8, 0, 7, 0.2))

    @njit
    def sifts(times, segments, flags, hits, bounds):
        for _ in range(times):
            sift(segments, 0, n, axon, flags, 0)

    @njit
    def decide(times, segments, flags, hits, bounds):
        for _ in range(times):
            overlaps(segments, hits, n, 0.0, 0.0, 0.0, 0.6, 0.8, 0.0, 7.0, 0.2, bounds)

    rates = {}
    for name, loop, times in (("sift", sifts, 20_000), ("overlap", decide, 2_000)):
        loop(1, segments, flags, hits, bounds)
        start = time.perf_counter()
        loop(times, segments, flags, hits, bounds)
        rates[name] = n * times / (time.perf_counter() - start)
    return rates


def peer(args) -> dict:
    """brain-indexer: all target segments in one index, one box query per axon segment."""
    import brain_indexer
    from brain_indexer import core

    from pipeline.edges.touch.index import SOMA_FLAG, build_index

    shapes, cells, rules, _ = circuit(args.n, args.data, args.simplify)
    index = build_index(shapes, cells, rules, args.threads)
    n = index.total
    row, gid = index.row[:n] & ~SOMA_FLAG, index.cell[:n].astype(np.uint64)
    begin = np.stack([index.segments[0, :n], index.segments[1, :n], index.segments[2, :n]], axis=1)
    end = np.stack([index.segments[3, :n], index.segments[4, :n], index.segments[5, :n]], axis=1)
    order = np.lexsort((row, gid))
    tree = core.MorphIndex()
    public = brain_indexer.MorphIndex(tree)
    start = time.perf_counter()
    add_all(tree, gid[order], shapes, row[order], begin[order], end[order])
    built = time.perf_counter() - start
    result = {"elements": n, "build": built}
    for kind in PEER:
        result[kind] = queries(public if kind == "written" else tree, shapes, cells, args, kind)
    return result


def queries(tree, shapes, cells, args, kind: str) -> dict:
    """Asks for the neighbours of every axon segment of some cells, for at most 30 s."""
    rng, hits, asked, start = np.random.default_rng(2), 0, 0, time.perf_counter()
    for pre in rng.permutation(args.n)[: args.sample]:
        low, high = shapes.first[cells.morphology[pre]], shapes.first[cells.morphology[pre] + 1]
        axon = np.arange(low, high)[shapes.kind[low:high] == 2]
        turn, shift = cells.rotation[pre].astype(float), cells.position[pre]
        a, b = shapes.start[axon] @ turn.T + shift, shapes.end[axon] @ turn.T + shift
        wide = shapes.radius[axon][:, None] + SPINE
        corners = np.minimum(a, b) - wide, np.maximum(a, b) + wide
        boxes = zip(*(c.astype(np.float32) for c in corners), strict=True)
        for k, (lower, upper) in enumerate(boxes):
            if kind == "written":
                hits += len(tree.box_query(lower, upper, fields=FIELDS)["gid"])
                asked += 1
                continue
            found = tree._find_intersecting_box_np(lower, upper, geometry="bounding_box")
            if kind == "exact" and len(found["gid"]):
                starts, ends = (np.where(np.isnan(e), found["centroid"], e)
                                for e in found["endpoints"])  # fmt: skip
                gap = axis_distance(a[k], b[k], starts, ends)
                hits += int((gap < found["radius"] + wide[k]).sum())
            else:
                hits += len(found["gid"])
            asked += 1
        if time.perf_counter() - start > 30:
            break
    return {"queries": asked, "hits": hits, "seconds": time.perf_counter() - start}


def axis_distance(a, b, starts, ends) -> np.ndarray:
    """Distance of one segment to many, float64 (n,): the least of the inner and the end distances."""
    u, v, w = b - a, ends - starts, starts - a
    uu, uv, vv = u @ u, v @ u, np.einsum("ij,ij->i", v, v)
    uw, vw = w @ u, np.einsum("ij,ij->i", v, w)
    flat = uu * vv - uv**2
    with np.errstate(divide="ignore", invalid="ignore"):
        s = np.clip(np.where(flat > 1e-9, (vv * uw - uv * vw) / flat, 0), 0, 1)
        t = np.clip(np.where(vv > 0, (s * uv - vw) / vv, 0), 0, 1)
        s = np.clip((t * uv + uw) / max(uu, 1e-12), 0, 1)
    return np.linalg.norm(w + t[:, None] * v - s[:, None] * u, axis=1)


def add_all(tree, gid, shapes, row, begin, end) -> None:
    """Adds every cell's sections to the index."""
    section = shapes.section[row]
    cuts = np.flatnonzero((np.diff(gid) != 0) | (np.diff(section) != 0)) + 1
    edges = np.concatenate([[0], cuts, [len(gid)]])
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        radius = shapes.radius[row[low:high]]
        if section[low] == 0:
            tree._add_soma(int(gid[low]), begin[low], float(radius[0]))
            continue
        points = np.concatenate([begin[low:high], end[high - 1 : high]])
        wide = np.concatenate([radius, radius[-1:]])
        kind = int(shapes.kind[row[low]])
        tree._add_branch(int(gid[low]), int(section[low]), points, wide, kind)


def child(kind: str, args, n: int = 0) -> dict | None:
    """Runs one measurement in a process of its own."""
    command = [sys.executable, __file__, "--child", kind, "--n", str(n)]
    for name in ("data", "simplify", "threads", "sample", "base", "edge"):
        if getattr(args, name) is not None:
            command += [f"--{name}", str(getattr(args, name))]
    command += ["--all"] * args.all
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(f"{kind} {n}: failed\n{done.stderr[-800:]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    beside = Path(__file__).resolve().parents[2] / "shared/data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 2_000, 8_000])
    parser.add_argument("--only", nargs="+", default=["ours", "bare", "peer"])
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--simplify", type=float, default=0.2, help="um; 0 keeps all points")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sample", type=int, default=200, help="presynaptic cells of large sizes")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--base", type=float)
    parser.add_argument("--edge", type=float)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--n", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        from pipeline.runtime import pin_kernels

        pin_kernels()
        print(json.dumps({"ours": column, "bare": bare, "peer": peer}[args.child](args)))
        return
    print(f"load {os.getloadavg()[0]:.1f}, {args.threads} threads, simplified {args.simplify} um")
    for n in args.sizes:
        ours = child("ours", args, n) if "ours" in args.only else None
        if ours:
            print(ours_line(n, ours), flush=True)
            each = 1e9 * ours["detect"] / max(ours["touches"], 1)
            tell(
                f"touches of {n:,} cells, {args.threads} threads",
                each,
                "ns each",
                memory=ours["peak"],
            )
        if ours and "peer" in args.only:
            beside_peer(n, ours, args)
    if "bare" in args.only and (r := child("bare", args)):
        print(f"bare loops, 1 thread: sift {r['sift']:.3g}/s, overlap {r['overlap']:.3g}/s")


def beside_peer(n: int, ours: dict, args) -> None:
    """Tells the rate of our search, beside brain-indexer's or beside why there is none."""
    boxes, told = None, ""
    if find_spec("brain_indexer") is None:
        name = "brain-indexer not installed"
    elif ours["targets"] * BYTES >= ROOM:
        name = f"brain-indexer would take more than {ROOM / 1e9:g} GB"
    elif found := child("peer", args, n):
        name, told = "brain-indexer, boxes, 1 thread", peer_line(ours, found)
        boxes = found["boxes"]["queries"] / found["boxes"]["seconds"]
    else:
        name = "brain-indexer failed"
    print(told or f"       {name}", flush=True)
    tell(
        f"neighbours of axon segments, {n:,} cells, {args.threads} threads",
        ours["axon_segments"] / ours["search"], "segments/s", boxes, name,
        memory=ours["peak"], more_is_better=True,
    )  # fmt: skip


def ours_line(n: int, r: dict) -> str:
    return (
        f"{n:>6} cells: {r['targets'] / 1e6:.1f} M targets, index {r['build']:.1f} s; "
        f"{r['pre']} axons, {r['axon_segments'] / 1e3:.0f} k segments, {r['axon_mm']:.0f} mm: "
        f"{r['detect']:.1f} s, {r['touches'] / 1e6:.2f} M touches, "
        f"{r['touches'] / max(r['pairs'], 1):.1f} per pair; "
        f"{r['axon_segments'] / r['detect']:,.0f} segments/s, "
        f"{r['touches'] / r['detect']:,.0f} touches/s, search alone "
        f"{r['axon_segments'] / r['search']:,.0f} segments/s, "
        f"{1e9 * r['detect'] / max(r['touches'], 1):.0f} ns per touch; "
        f"all cells about {r['projected']:.0f} s; peak {r['peak']:.0f} MiB"
        + ("" if r["real"] else " (random trees)")
    )


def peer_line(ours: dict, r: dict) -> str:
    rate, search = (ours["axon_segments"] / ours[key] for key in ("detect", "search"))
    text = f"       brain-indexer: built in {r['build']:.1f} s"
    for kind in PEER:
        part = r[kind]
        speed = part["queries"] / part["seconds"]
        hits = part["hits"] / max(part["queries"], 1)
        text += f"; {kind} {speed:,.0f} segments/s, {hits:.1f} hits each, ours {rate / speed:.1f} x"
        text += f" (search alone {search / speed:.1f} x)"
    return text


if __name__ == "__main__":
    main()
