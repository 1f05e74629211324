"""Dealing cells to ranks: ours (by work) and BioNet's (in turn), on a built circuit.

``python bench/balance.py FOLDER RUN [--ms 50] [--subsets 12] [--ranks 2]``: FOLDER is a circuit
(``circuits/column/spontaneous``) whose run RUN was simulated with several ranks; nothing of it is changed.

weights: one rank simulates subsets of the cells, chosen to differ in what they are made of, for 2 ms and for as
long as asked; the difference, free of loading, is fitted by compartments with mechanisms, and synapses
(``simulation/balance.py`` has the ratios).
dealt: the whole circuit on the ranks, in turn, by work, by work, in turn; wall time, and
whether the spikes are equal.
forecast: work of the mean rank over the busiest, for more ranks than this machine has.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from rows import tell

from pipeline.mpi import run_ranks
from pipeline.simulation import balance
from pipeline.simulation.neuron_run import population_of_cells
from pipeline.simulation.plan import Plan, read_plan
from pipeline.simulation.stage import compiled_library
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.reports import read_spikes

WORKER = "pipeline.simulation.worker"
FORECAST = (2, 8, 32, 128)


def copy_run(paths: CircuitPaths, run: str, ms: float) -> Plan:
    """A shorter run of the same inputs beside the first one."""
    name = f"{run}_{ms:g}ms"
    config = json.loads(paths.simulation_config(run).read_text())
    config["run"]["tstop"], config["reports"] = ms, {}
    for entry in config["inputs"].values():
        entry["input_file"] = str((paths.simulation(run) / entry["input_file"]).resolve())
    paths.simulation(name).mkdir()
    paths.simulation_config(name).write_text(json.dumps(config))
    return read_plan(paths, name, compiled_library(paths, needed=True))


def simulate(plan: Plan, ranks: int, dealt: Path | None) -> dict[str, float]:
    """Figures of one run."""
    job = {"root": str(plan.paths.root.resolve()), "simulation": plan.name, "saving": None}
    job |= {"library": str(plan.library), "dealt": str(dealt or "")}
    return run_ranks(WORKER, job, ranks)


def weights(plan: Plan, short: Plan, subsets: int) -> None:
    """Fits the time of the steps by what cells are made of."""
    population = population_of_cells(plan)
    parts = balance.parts_of(plan, population)
    parts["synapses"] /= balance.RELEASE
    kinds = parts[["mechanisms", "synapses"]].div(parts["compartments"], axis=0)
    random, rows, seconds = np.random.default_rng(1), [], []
    for index in range(subsets):
        order = kinds.iloc[:, index % 2].to_numpy() * (-1 if index % 4 > 1 else 1)
        order = np.argsort(order + random.normal(0, order.std(), len(order)))
        chosen = order[: max(10, len(order) // 8)]
        table = pd.DataFrame({"rank": np.ones(len(parts), int)})
        table.loc[chosen, "rank"] = 0
        file = plan.folder / "subset.csv"
        table.to_csv(file, index_label="node_id")
        both = [simulate(each, 1, file)["run_s"] for each in (plan, short)]
        rows.append(parts.iloc[chosen].sum().to_numpy(float))
        seconds.append(both[0] - both[1])
        print(
            "subset", index, len(chosen), *rows[-1].astype(int), f"{seconds[-1]:.2f} s", flush=True
        )
    made, took = np.array(rows), np.array(seconds)
    # Compartments have nearly the same number of mechanisms everywhere: their shares cannot be fitted apart.
    two = np.stack([made[:, 0] + balance.MECHANISM * made[:, 1], made[:, 2]], axis=1)
    fit, *_ = np.linalg.lstsq(two / took[:, None], np.ones(len(took)), rcond=None)
    held = {
        "fitted": two @ fit,
        "ours": two @ [1.0, balance.RELEASE],
        "compartments only": made[:, 0],
    }
    for name, values in held.items():
        error = 100 * np.abs(values * np.sum(took) / np.sum(values) / took - 1)
        print(f"weights {name}: time off by {error.mean():.1f} %, at most {error.max():.1f} %")
    ns = fit / (plan.steps - short.steps) * 1e9
    print(
        f"{ns[0]:.1f} ns per step and compartment or mechanism, {ns[1]:.1f} per synapse: {ns[1] / ns[0]:.2f}"
    )


def dealings(plan: Plan, ranks: int) -> None:
    """Runs both dealings twice, and prints the ratio."""
    file = balance.write_balance(plan, ranks)
    times: dict[str, list[float]] = {"in turn": [], "by work": []}
    spikes = {}
    for name in ("in turn", "by work", "by work", "in turn"):
        figures = simulate(plan, ranks, file if name == "by work" else None)
        times[name].append(figures["run_s"])
        nodes, at = read_spikes(plan.paths.spikes(plan.name), population_of_cells(plan))
        spikes[name] = (nodes.tobytes(), at.tobytes())
        print("dealt", name, f"{figures['run_s']:.1f} s", len(nodes), "spikes", flush=True)
    best = {name: min(values) for name, values in times.items()}
    print("spikes equal:", len(set(spikes.values())) == 1)
    print(f"in turn / by work: {best['in turn'] / best['by work']:.3f}")
    tell(f"cells dealt to {ranks} ranks", best["by work"], "s", best["in turn"], "BioNet, in turn")


def forecast(plan: Plan) -> None:
    """Prints how even both dealings are by work, for some numbers of ranks."""
    work = balance.cell_work(plan, population_of_cells(plan))
    for ranks in (n for n in FORECAST if n <= len(work)):
        turn = balance.spread(work, np.arange(len(work)) % ranks, ranks)
        dealt = balance.spread(work, balance.deal(work, ranks), ranks)
        print(f"forecast {ranks} ranks: in turn {turn:.3f}, by work {dealt:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("run")
    parser.add_argument("--ms", type=float, default=50.0)
    parser.add_argument("--subsets", type=int, default=12)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args()
    lengths = (options.ms, 2.0)
    plan, short = (copy_run(CircuitPaths(options.folder), options.run, ms) for ms in lengths)
    try:
        forecast(plan)
        if options.ranks > 1:
            dealings(plan, options.ranks)
        weights(plan, short, options.subsets)
    finally:
        for each in (plan, short):
            shutil.rmtree(each.folder)


if __name__ == "__main__":
    main()
