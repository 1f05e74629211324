"""Runs tiny workflows through a real SLURM on this machine and compares them with local runs.

    python tests/cluster/slurm_tiny.py [FOLDER [worm|v1|ball|killed ...]]

What goes through SLURM: the worm to its report (simulation on 2 ranks by srun), edges of V1 in two parts
(one job each, one that joins them), and the search of an e-model, one job per seed. The spikes, edges and
best parameters must be those of the same workflow run without SLURM, to the last bit. A run whose rank is
killed must end the job (``killed`` alone: that, with a circuit built without SLURM).
Prints wall times; exits with 1 if anything differs.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "data"), str(Path(__file__).parent)]

from loopback import missing, slurm  # noqa: E402

# Debian's SLURM has no accounting, so its jobs are asked for by squeue.
PARTS = "{out}/v1/cluster/network/bkg__v1__chemical.edges.h5"
OPTIONS = (
    "--slurm-status-command squeue --slurm-no-account --slurm-init-seconds-before-status-checks 1"
)
LIMIT_S = 1200
BOUNDS = """section_list,mechanism,parameter,distribution,lower,upper,value,source
soma,hh,,,,,,test
all,passive,Ra,,,,100,test
all,passive,g_pas,,,,0.00001,test
all,passive,e_pas,,,,-65,test
soma,hh,gl,,,,0.0003,test
soma,hh,gnabar,,0.08,0.2,,test
soma,hh,gkbar,,0.02,0.06,,test
,conditions,v_init,,,,-65,test
,conditions,celsius,,,,6.3,test
"""
PROTOCOLS = """protocol,kind,amplitude_percent,amplitude,delay,duration,total,holding,strict
Step,step,,0.2,50,200,280,no,1
"""
TARGETS = """protocol,location,feature,mean,sd,source,held_out
Step,soma.v,AP_amplitude,80,2,test,0
Step,soma.v,mean_frequency,60,5,test,0
"""
FIT = """schema: 1
name: ball
fits:
  ball:
    morphology: ball.swc
    axon: none
    bounds: bounds.csv
    protocols: protocols.csv
    targets: targets.csv
    search: {algorithm: cma_single, offspring: 4, generations: 2, seeds: [1, 2]}
"""
WORM = """extends: %s
name: cluster
set: {simulation.noise.ranks: 2}
"""
V1 = """extends: %s
name: cluster
set:
  edges.background.parts: 2
"""


def write_models(folder: Path) -> dict[str, tuple[Path, str, list[str]]]:
    """Writes the models; returns name to model file, target and the results that must agree."""
    folder.mkdir(parents=True)
    for name, text in (("bounds", BOUNDS), ("protocols", PROTOCOLS), ("targets", TARGETS)):
        (folder / f"{name}.csv").write_text(text)
    (folder / "ball.swc").write_text("1 1 0 0 0 10 -1\n")
    (folder / "ball.yaml").write_text(FIT)
    for name, text in (("worm", WORM), ("v1", V1)):
        tiny = ROOT / "models" / name / "variants" / "tiny.yaml"
        (folder / f"{name}.yaml").write_text(text % os.path.relpath(tiny, folder))
    return {
        "worm": (folder / "worm.yaml", "report", ["*.edges.h5", "sim/noise/*.h5"]),
        "v1": (folder / "v1.yaml", PARTS, ["bkg__v1__*.edges.h5"]),
        "ball": (folder / "ball.yaml", "emodels", ["result.json", "*seed*.json", "emodels/*"]),
    }


def workflow(work: Path, model: Path, target: str, profile: str, *more: str, environment) -> float:
    """Runs a workflow in a folder; returns seconds."""
    work.mkdir(parents=True, exist_ok=True)
    out = work / "out"
    command = [
        sys.executable, "-m", "snakemake", target.format(out=out), "--snakefile", str(ROOT / "Snakefile"),
        "--workflow-profile", str(ROOT / "pipeline" / "profiles" / profile), "--nolock",
        "--config", f"model={model}", f"out={out}", *more,
    ]  # fmt: skip
    began = time.monotonic()
    with open(work / "snakemake.log", "w") as log:
        process = subprocess.Popen(
            command, cwd=work, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            code = process.wait(LIMIT_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if code:
        sys.exit(f"{profile} {model.name} ended with {code}:\n{Path(log.name).read_text()[-3000:]}")
    return time.monotonic() - began


def digests(folder: Path, patterns: list[str]) -> dict[str, str]:
    """Hashes of the results."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for pattern in patterns
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def jobs(work: Path) -> int:
    """Number of jobs that SLURM was given, by the log of Snakemake."""
    return sum(path.read_text().count("with SLURM jobid") for path in work.glob("*.log"))


def killed_rank(base: Path, model: Path, environment: dict[str, str]) -> str:
    """Kills one rank of a simulation under SLURM; returns what the job said."""
    out = base / "slurm" / "worm" / "out"
    if not (out / "worm" / "cluster" / "circuit_config.json").is_file():
        for verb in ("compile", "nodes", "edges", "circuit"):
            words = [sys.executable, "-m", "pipeline", verb, str(model), "--out", str(out)]
            subprocess.run(words, env=environment, cwd=base, check=True, timeout=LIMIT_S)
    command = [sys.executable, "-m", "pipeline", "simulate", str(model), "--out", str(out)]
    long = model.with_name("long.yaml")
    long.write_text(model.read_text().replace("}", ", simulation.noise.duration: 600 s}"))
    command[4] = str(long)
    batch = ["sbatch", "--wait", "-n", "2", "-o", str(base / "killed.out"), "--wrap"]
    process = subprocess.Popen([*batch, " ".join(command)], env=environment, cwd=base)
    victim = None
    while victim is None and process.poll() is None:
        time.sleep(1)
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                variables = (entry / "environ").read_bytes()
            except OSError:
                continue
            ours = b"pipeline.simulation.worker" in words and b"srun" not in words[0]
            if (
                ours
                and b"\0SLURM_PROCID=1\0" in variables
                and str(base).encode() in b" ".join(words)
            ):
                if "libnrnmech" in (entry / "maps").read_text():
                    victim = int(entry.name)
    began = time.time()
    if victim:
        os.kill(victim, 9)
    code = process.wait(
        90
    )  # sbatch looks every half minute; the job's last words tell when it ended
    output = base / "killed.out"
    return f"exit code {code} after {output.stat().st_mtime - began:.1f} s: {output.read_text().strip()}"


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and the daemons with it
    if lacks := missing():
        print(f"skipped: this machine lacks {', '.join(lacks)}")
        return 0
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="cluster-"))
    base = place.resolve()
    models = write_models(base / "models")
    worm = models["worm"][0]
    wanted = sys.argv[2:] or [*models, "killed"]
    models = {name: models[name] for name in wanted if name != "killed"}
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    environment.setdefault("SONATINA_CACHE", str(base / "cache"))
    good = True
    with slurm(base / "daemons") as found:
        environment |= {"SLURM_CONF": found["SLURM_CONF"]}
        for name, (model, target, patterns) in models.items():
            here, there = base / "local" / name, base / "slurm" / name
            locally = workflow(
                here, model, target, "local", "--cores", "2", environment=environment
            )
            queued = workflow(
                there, model, target, "slurm", *OPTIONS.split(), environment=environment
            )
            ours, theirs = digests(here / "out", patterns), digests(there / "out", patterns)
            same = bool(ours) and ours == theirs
            good &= same
            print(
                f"{name:5} to {Path(target).name:31} local {locally:6.1f} s  SLURM {queued:6.1f} s, "
                f"{jobs(there)} jobs  {len(ours)} results {'equal' if same else 'DIFFER'}",
                flush=True,
            )
        if "killed" in wanted:
            for _ in range(
                4
            ):  # UCX may fail in MPI_Init while the machine is busy: nothing to kill then
                said = killed_rank(base, worm, environment)
                if "MPI_Init" not in said:
                    break
                print("MPI did not start; once more", flush=True)
            good &= "rank 1: was killed" in said and said.startswith("exit code 1")
            print(f"killed rank: {said}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
