"""Wall time per simulated second of the 136-neuron worm, on 1 and on 2 MPI ranks.

``python bench/worm.py [SECONDS]``: builds the circuit in a temporary folder, runs it (default 5 s of
biological time at the published 0.5 ms), prints one table. The peer is the same circuit with the soma
voltages read by Python at every time step, which is how plain BioNet records.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

from pipeline.cli import main
from pipeline.mpi import run_ranks
from pipeline.simulation.stage import compiled_library
from pipeline.sonata.layout import CircuitPaths
from pipeline.worker import serve

VARIANT = """extends: {model}
name: bench
set: {{simulation.noise.duration: {seconds} s}}
"""


def stepped(job: dict) -> dict[str, float]:
    """The same run with somata recorded by Python at every time step."""
    import time

    from pipeline.simulation.engines.bionet import build_network, start_neuron
    from pipeline.simulation.neuron_run import play_inputs
    from pipeline.simulation.plan import read_plan

    plan = read_plan(CircuitPaths(Path(job["root"])), "noise", Path(job["library"]))
    h, pc = start_neuron(plan)
    network, wired = build_network(plan)
    clamps = play_inputs(h, plan, network.get_local_cells())
    pc.setup_transfer()
    h.dt, h.steps_per_ms, h.tstop = plan.dt, 1 / plan.dt, plan.duration
    h.celsius, h.v_init = plan.config["conditions"]["celsius"], plan.config["conditions"]["v_init"]
    somata = [cell.hobj.soma[0](0.5) for cell in network.get_local_cells().values()]
    frames = []
    pc.set_maxstep(10)
    h.finitialize(h.v_init)
    started = time.perf_counter()
    while h.t < h.tstop - h.dt / 2:
        h.fadvance()
        frames.append([segment.v for segment in somata])
    kept = len(wired.graded.processes) + len(clamps)  # alive until here
    return {"run_s": time.perf_counter() - started, "kept": float(kept)}


def measure(seconds: float) -> None:
    """Runs ours on 1 and 2 ranks and the stepped peer on 1, and prints the table."""
    root = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        variant = Path(folder) / "bench.yaml"
        variant.write_text(VARIANT.format(model=root / "models/worm/model.yaml", seconds=seconds))
        base = [str(variant), "--out", folder]
        with contextlib.redirect_stdout(io.StringIO()):
            for verb in ("compile", "nodes", "edges", "circuit"):
                if main([verb, *base]):
                    sys.exit(f"{verb} failed")
        paths = CircuitPaths(Path(folder) / "worm/bench")
        rows = []
        for ranks in (1, 2):
            with contextlib.redirect_stdout(io.StringIO()):
                main(["simulate", *base, "--ranks", str(ranks)])
            figures = json.loads((paths.simulation("noise") / "figures.json").read_text())
            rows.append((f"ours, {ranks} rank(s)", figures["run_s"], figures["segments"]))
        job = {"root": str(paths.root.resolve()), "library": str(compiled_library(paths))}
        peer = run_ranks("bench.worm", job, 1)
        rows.append(("Python per step, 1 rank", peer["run_s"], rows[0][2]))
    from rows import tell

    print(f"{'run':<26}{'wall s':>9}{'s per simulated s':>20}{'segment steps/s':>18}")
    for name, wall, segments in rows:
        rate = segments * seconds * 2000 / wall
        print(f"{name:<26}{wall:>9.2f}{wall / seconds:>20.2f}{rate:>18.3g}")
    (_, one, _), (_, two, _), (_, stepped_wall, _) = rows
    work = f"worm, 136 neurons, {seconds:g} s, 1 rank"
    tell(work, one, "s", stepped_wall, "somata read by Python at every step")
    tell(work.replace("1 rank", "2 ranks"), two, "s", one, "1 rank")


if __name__ == "__main__":
    argument = sys.argv[1] if len(sys.argv) > 1 else "5"
    if argument.endswith(".json"):
        serve(argument, stepped)
    else:
        measure(float(argument))
