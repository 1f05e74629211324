"""One run of a config made elsewhere, on every rank: BMTK builds and runs it, we watch over it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from pipeline.errors import CircuitError, Problem, SimulationError
from pipeline.mechanisms import load_library
from pipeline.runtime import progress, rank
from pipeline.simulation.neuron_run import peak_memory
from pipeline.worker import serve


def simulate(job: dict) -> dict[str, float]:
    """Runs the job; returns its figures."""
    if job["engine"] == "neurodamus":
        from pipeline.simulation.elsewhere.bbp_worker import simulate_bbp

        return simulate_bbp(job)
    os.chdir(job["folder"])  # BMTK takes relative paths from there
    config = _config(job)
    return _bionet(config, job) if job["engine"] == "bionet" else _pointnet(config)


def _config(job: dict) -> dict[str, Any]:
    """The config as BMTK takes it: outputs to our folder, mechanisms loaded by us."""
    config = dict(job["config"])
    components = dict(config.get("components", {}))
    components.pop("mechanisms_dir", None)
    output = dict(config.get("output", {}))
    output |= {"output_dir": job["output"], "overwrite_output_dir": False, "log_to_console": False}
    for key in ("log_file", "spikes_file", "spikes_file_csv", "spikes_file_nwb"):
        if output.get(key):
            output[key] = os.path.join(job["output"], Path(output[key]).name)
    run = dict(config["run"])
    run.pop("overwrite_output_dir", None)
    place = {"config_path": os.path.join(job["folder"], "config.json"), "config_dir": job["folder"]}
    return config | place | {"components": components, "output": output, "run": run}


def _figures(started: float, built: float, **more: float) -> dict[str, float]:
    ended = time.perf_counter()
    return {"build_s": built - started, "run_s": ended - built, **more}


def _pointnet(config: dict[str, Any]) -> dict[str, float]:
    import nest
    from bmtk.simulator import pointnet

    nest.set_verbosity("M_ERROR")
    started = time.perf_counter()
    conf = pointnet.Config.from_dict(config)
    conf.build_env()
    network = pointnet.PointNetwork.from_config(conf)
    simulator = pointnet.PointSimulator.from_config(conf, network)
    built = time.perf_counter()
    simulator.run()
    threads = float(config["run"].get("n_thread", 1))
    return _figures(started, built, threads=threads, memory_mib=peak_memory())


def _bionet(config: dict[str, Any], job: dict) -> dict[str, float]:
    from neuron import h

    if job["library"]:
        load_library(job["library"])
    from bmtk.simulator import bionet

    started = time.perf_counter()
    pc = h.ParallelContext()
    conf = bionet.Config.from_dict(config)
    conf.build_env()
    network = bionet.BioNetwork.from_config(conf)
    try:
        simulator = bionet.BioSimulator.from_config(conf, network=network)
    except AttributeError as error:
        _no_mechanism(error)
        raise
    with progress(total=simulator.tstop, label="simulate", unit="ms") as bar:
        simulator.add_mod(_watch(h, simulator, bar))
        built = time.perf_counter()
        simulator.run()
    figures = _figures(started, built, ranks=float(pc.nhost()))
    return figures | {"memory_mib": pc.allreduce(peak_memory(), 1)}


def _no_mechanism(error: AttributeError) -> None:
    """NEURON says that it has no such attribute where a mechanism was not compiled."""
    name = getattr(error, "name", None) or str(error).split("'")[-2:-1]
    if "HocObject" in str(error) or "hoc.HocObject" in str(type(getattr(error, "obj", None))):
        message = f"no mechanism or template {name!r}"
        hint = "add its .mod file to the folder mechanisms_dir"
        raise CircuitError(Problem("components", message, hint)) from None


def _watch(h: Any, simulator: Any, bar: Any) -> Any:
    """A module of BMTK that looks for voltages that are not finite, block by block."""
    from bmtk.simulator.bionet.modules.sim_module import SimulatorMod

    class Watch(SimulatorMod):
        def initialize(self, sim: Any) -> None:
            self._cells = sim.net.get_local_cells()

        def step(self, sim: Any, tstep: int) -> None:
            pass

        def block(self, sim: Any, block_interval: tuple[int, int]) -> None:
            _stop_on_nonfinite(self._cells, h.t)
            bar.update((block_interval[1] - block_interval[0]) * sim.dt)

        def finalize(self, sim: Any) -> None:
            pass

    return Watch()


def _stop_on_nonfinite(cells: dict[int, Any], now: float) -> None:
    for gid, cell in cells.items():
        for section in getattr(cell.hobj, "all", ()):
            voltage = section(0.5).v
            if not abs(voltage) < 1e300:
                message = f"voltage is not finite by {now:g} ms in {section.name()}, rank {rank()}"
                raise SimulationError(Problem(f"cell {gid}", message, "lower dt"))


if __name__ == "__main__":
    serve(sys.argv[1], simulate)
