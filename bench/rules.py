"""Measures building and saving a distance rule, here and through BMTK and NetPyNE.

    python bench/rules.py            all of it (about half an hour, mostly the peers)
    python bench/rules.py --quick    2,000 and 5,000 cells
    python bench/rules.py --only ours dump v1 v1_dump --repeat 3
    python bench/rules.py --long     also NetPyNE at 10,000 cells, under a limit of memory

The rule is p = 0.2 exp(-(d/150 um)^2) over cells in a cylinder of radius 400 um and height 1000 um
(a box of the same density in NetPyNE). Every measurement runs in a process of its own; times are
those of building and saving with everything imported and compiled, memory is the process's peak.
``v1`` is the recurrent network of mouse V1 at full density and up to full size: 230,924 cells, 17
classes; ``v1_parts`` builds it as the command does, in parts that survive a kill. ``dump`` and
``v1_dump`` write the arrays of ``ours`` and ``v1`` again with bare h5py: same datasets, dtypes and
both indices. Times suffer when other work runs: the load is printed, and ``--repeat`` takes the best.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows import tell

P0, SIGMA, RADIUS, HEIGHT = 0.2, 150.0, 400.0, 1000.0
PEER_SIZES = (2_000, 5_000, 10_000)
OWN_SIZES = (2_000, 5_000, 10_000, 50_000, 100_000)
V1_SIZES = (50_000, 100_000, 230_924)
AT_MOST = 12
"""GiB of address space that ``netpyne_limit`` may take."""
LIMIT = 900
"""Seconds after which a measurement is given up."""


def cylinder(n: int):
    """Cells uniform in the cylinder: float64 [n, 3], um; the middle axis is the height."""
    import numpy as np

    rng = np.random.default_rng(1)
    r, phi = RADIUS * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return np.column_stack((r * np.cos(phi), HEIGHT * rng.random(n), r * np.sin(phi)))


def bmtk(n: int, folder: Path, iterator: str = "all_to_one") -> dict:
    """BMTK's builder with a rule vectorised by NumPy (or one pair at a time)."""
    import h5py
    import numpy as np
    from bmtk.builder import NetworkBuilder

    places, rng = cylinder(n), np.random.default_rng(2)

    def connect_all(sources, target):
        ids = np.array([source.node_id for source in sources])
        square = ((places[ids] - np.asarray(target["positions"])) ** 2).sum(axis=1)
        edges = rng.random(len(ids)) < P0 * np.exp(-square / SIGMA**2)
        edges[ids == target.node_id] = False
        return edges.astype(int)

    def connect_pair(source, target):
        if source.node_id == target.node_id:
            return 0
        gap = np.asarray(source["positions"]) - np.asarray(target["positions"])
        return int(rng.random() < P0 * np.exp(-(gap**2).sum() / SIGMA**2))

    network = NetworkBuilder("v1")
    network.add_nodes(N=n, positions=[tuple(place) for place in places], ei="e")
    network.add_edges(
        source={"ei": "e"}, target={"ei": "e"}, iterator=iterator,
        connection_rule=connect_all if iterator == "all_to_one" else connect_pair,
        syn_weight=1.0, delay=1.5,
    )  # fmt: skip
    start = time.perf_counter()
    network.build()
    network.save(output_dir=str(folder))
    seconds = time.perf_counter() - start
    with h5py.File(folder / "v1_v1_edges.h5") as handle:
        return {"edges": len(handle["edges/v1_to_v1/source_node_id"]), "seconds": seconds}


def bmtk_pairs(n: int, folder: Path) -> dict:
    """BMTK's builder with the rule of its tutorials, one pair at a time."""
    return bmtk(n, folder, "one_to_one")


def netpyne(n: int, folder: Path) -> dict:
    """NetPyNE with NEURON objects; saves its own pickle."""
    from netpyne import sim, specs

    params = specs.NetParams()
    params.sizeX, params.sizeY, params.sizeZ = 709.0, HEIGHT, 709.0
    soma = {"geom": {"diam": 20, "L": 20, "Ra": 100}, "mechs": {"pas": {"g": 1e-4, "e": -65}}}
    params.cellParams["cell"] = {"secs": {"soma": soma}}
    params.popParams["v1"] = {"cellType": "cell", "numCells": n}
    params.synMechParams["exc"] = {"mod": "ExpSyn", "tau": 2, "e": 0}
    params.connParams["rule"] = {
        "preConds": {"pop": "v1"}, "postConds": {"pop": "v1"}, "weight": 0.001, "delay": 1.5,
        "synMech": "exc", "probability": f"{P0}*exp(-(dist_3D/{SIGMA})**2)",
    }  # fmt: skip
    config = specs.SimConfig()
    config.verbose = config.printPopAvgRates = False
    config.filename, config.savePickle = str(folder / "net"), True
    config.saveDataInclude = ["netCells", "netPops"]
    with contextlib.redirect_stdout(io.StringIO()):
        sim.initialize(params, config)
        sim.net.createPops()
        sim.net.createCells()
        start = time.perf_counter()
        sim.net.connectCells()
        sim.gatherData()
        sim.saveData()
        seconds = time.perf_counter() - start
    return {"edges": sum(len(cell.conns) for cell in sim.net.cells), "seconds": seconds}


def netpyne_limit(n: int, folder: Path) -> dict:
    """NetPyNE with no more than AT_MOST GiB: tells where it ends instead of taking the machine."""
    start = time.perf_counter()
    resource.setrlimit(resource.RLIMIT_AS, (AT_MOST * 2**30, AT_MOST * 2**30))
    try:
        return netpyne(n, folder)
    except MemoryError as error:
        frame = error.__traceback__
        while frame.tb_next:
            frame = frame.tb_next
        # It works the probability of every pair out before it connects any, source after source.
        done = frame.tb_frame.f_locals.get("preGid")
        code, frame = frame.tb_frame.f_code, None
    far = f"in {code.co_name}" if done is None else f"at source {done:,} of {n:,}, none connected"
    seconds = time.perf_counter() - start
    return {"note": f"needs more than {AT_MOST} GiB: out after {seconds:.0f} s {far}"}


def _frame(n: int):
    import pandas as pd

    return pd.DataFrame(cylinder(n), columns=list("xyz"))


def _rule() -> dict:
    gaussian = {"law": "gaussian", "sigma": SIGMA, "convention": "sigma2", "metric": "3d"}
    return {"name": "near", "connect": [{"law": "probability", "value": P0}, gaussian]}


def _build(rules: list[dict], frame, folder: Path, in_parts: bool = False) -> dict:
    """Compiles rules, plans, draws and saves, as the stage does."""
    from pipeline.config.rules import RuleEdges
    from pipeline.edges.rules.build import Builder, compile_network
    from pipeline.edges.rules.parts import (
        Names,
        automatic_parts,
        write_edge_types,
        write_in_parts,
        write_whole,
    )

    config = RuleEdges(kind="rules", source="v1", target="v1", rules=rules)
    names = Names("v1__v1__chemical", "v1", "v1")

    def run(nodes, path: Path) -> dict:
        start = time.perf_counter()
        builder = Builder(compile_network(config, 1, nodes, nodes))
        planned = builder.expected()
        ready = time.perf_counter()
        parts = automatic_parts(planned.edges) if in_parts else 1
        if parts > 1:
            edges = write_in_parts(builder, path, names, parts)
        else:
            edges = write_whole(builder, path, names)
        write_edge_types(builder.network, path.with_suffix(".csv"))
        end = time.perf_counter()
        return {"edges": edges, "seconds": end - start, "prepare": ready - start,
                "planned_edges": planned.edges, "planned_disk": planned.disk,
                "planned_memory": planned.memory, "planned_seconds": planned.seconds}  # fmt: skip

    few = frame.sample(min(len(frame), 2_000), random_state=1).reset_index(drop=True)
    run(few, folder / "few.h5")
    repeats = 3 if len(frame) <= 10_000 else 1
    results = [run(frame, folder / "edges.h5") for _ in range(repeats)]
    result = min(results, key=lambda each: each["seconds"])
    return result | {"bytes": (folder / "edges.h5").stat().st_size}


def ours(n: int, folder: Path) -> dict:
    """This project's builder."""
    return _build([_rule()], _frame(n), folder)


def v1(n: int, folder: Path) -> dict:
    """The recurrent V1 network, scaled to n cells by area at full density."""
    from v1_like import cells, rules

    return _build(rules(folder), cells(n), folder)


def v1_parts(n: int, folder: Path) -> dict:
    """The recurrent V1 network in parts that survive a kill, as the command builds it."""
    from v1_like import cells, rules

    return _build(rules(folder), cells(n), folder, True)


def _dump(path: Path, folder: Path) -> dict:
    """Writes all arrays of an edges file again, plainly: the bound of any builder."""
    import h5py

    arrays = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[:]

    with h5py.File(path) as handle:
        handle.visititems(collect)
        n = len(handle["edges/v1__v1__chemical/source_node_id"])
    start = time.perf_counter()
    with h5py.File(folder / "dump.h5", "w") as handle:
        for name, values in arrays.items():
            handle[name] = values
    return {"edges": n, "seconds": time.perf_counter() - start}


def dump(n: int, folder: Path) -> dict:
    """A bare h5py dump of what ``ours`` makes."""
    ours(n, folder)
    return _dump(folder / "edges.h5", folder)


def v1_dump(n: int, folder: Path) -> dict:
    """A bare h5py dump of what ``v1`` makes."""
    v1(n, folder)
    return _dump(folder / "edges.h5", folder)


TOOLS = {
    tool.__name__: tool
    for tool in (
        bmtk, bmtk_pairs, netpyne, netpyne_limit, ours, dump, v1, v1_parts, v1_dump,
    )
}  # fmt: skip
DUMPS = {"ours": "dump", "v1": "v1_dump", "v1_parts": "v1_dump"}
"""The bound of each of our tools."""


def measure(tool: str, n: int) -> dict:
    """Runs one measurement in a process of its own; peak memory in MiB."""
    here = Path(__file__).resolve()
    paths = [str(here.parents[1]), str(here.parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(here), "--child", tool, str(n)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"tool": tool, "n": n, "note": f"not finished in {LIMIT} s"}
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"tool": tool, "n": n, "note": reason[:60]}
    return json.loads(done.stdout.splitlines()[-1])


def child(tool: str, n: int) -> None:
    """Measures and prints one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        result = TOOLS[tool](n, Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"tool": tool, "n": n, "peak": peak, **result}))


def row(result: dict, reference: dict[int, float]) -> str:
    """One line of the table; the last column is our rate over this tool's."""
    if "note" in result:
        peak = f"{result['peak']:,.0f}" if "peak" in result else ""
        return f"| {result['tool']} | {result['n']:,} | {result['note']} | | | {peak} | |"
    rate = result["edges"] / result["seconds"]
    mine = reference.get(result["n"])
    ratio = f"{mine / rate:,.1f}" if mine and not result["tool"].startswith("v1") else ""
    return (
        f"| {result['tool']} | {result['n']:,} | {result['seconds']:.2f} | {result['edges']:,} "
        f"| {rate:,.0f} | {result['peak']:,.0f} | {ratio} |"
    )


def best(tool: str, n: int, repeat: int) -> dict:
    """The fastest of some measurements; the last that failed when none came through."""
    results = [measure(tool, n) for _ in range(repeat)]
    done = [result for result in results if "seconds" in result]
    return min(done, key=lambda each: each["seconds"]) if done else results[-1]


def hand_over(results: list[dict]) -> None:
    """Rows for the table of all benches."""
    mine = {row["n"]: row for row in results if row["tool"] == "ours" and "seconds" in row}
    for row in results:
        own = mine.get(row["n"])
        if own and row["tool"] != "ours" and "seconds" in row:
            work = f"distance rule, {row['n']:,} cells, built and saved"
            tell(work, own["seconds"], "s", row["seconds"], row["tool"], memory=own["peak"])


def bounds(results: list[dict]) -> list[str]:
    """One line per size of ours whose arrays were also dumped: time over that of the dump."""
    times = {(each["tool"], each["n"]): each["seconds"] for each in results if "seconds" in each}
    return [
        f"{tool}, {n:,} cells: {seconds / times[DUMPS[tool], n]:.2f} times a bare h5py dump of its arrays"
        for (tool, n), seconds in times.items()
        if (DUMPS.get(tool), n) in times
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 and 5,000 cells only")
    parser.add_argument("--only", nargs="+", choices=sorted(TOOLS), help="some of the tools")
    parser.add_argument("--sizes", nargs="+", type=int, help="numbers of cells")
    parser.add_argument("--repeat", type=int, default=1, help="take the best of so many")
    parser.add_argument("--long", action="store_true", help="also what runs out of memory")
    parser.add_argument("--json", type=Path, help="also write the results here")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], int(options.child[1]))
        return
    sizes = {tool: PEER_SIZES for tool in TOOLS}
    sizes |= {"ours": OWN_SIZES, "dump": OWN_SIZES[2:], "bmtk_pairs": PEER_SIZES[:2],
              "netpyne": PEER_SIZES[:2], "netpyne_limit": PEER_SIZES[2:], "v1": V1_SIZES,
              "v1_parts": V1_SIZES[-1:], "v1_dump": V1_SIZES[-1:]}  # fmt: skip
    order = ["ours", *(tool for tool in TOOLS if tool != "ours")]
    print("| tool | cells | s | edges | edges/s | peak MiB | ours is x times faster |")
    print("|---|---|---|---|---|---|---|")
    results, reference = [], {}
    for tool in order:
        if options.only and tool not in options.only:
            continue
        if tool == "netpyne_limit" and not (options.long or options.only):
            continue
        chosen = options.sizes or [n for n in sizes[tool] if n <= 5_000 or not options.quick]
        for n in chosen:
            results.append(best(tool, n, options.repeat))
            if tool == "ours" and "seconds" in results[-1]:
                reference[n] = results[-1]["edges"] / results[-1]["seconds"]
            print(row(results[-1], reference), flush=True)
    hand_over(results)
    print("\n".join(bounds(results)))
    print("load", " ".join(f"{load:.1f}" for load in os.getloadavg()))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
