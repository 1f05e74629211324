"""Finds an MPI launcher with its library and runs a worker module on its ranks."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError, Problem, SimulationError, ToolError

_INSTALL = "install it with 'pip install mpich', or set SONATINA_MPI and SONATINA_MPI_LIB"


@dataclass(frozen=True)
class Mpi:
    """A launcher and the library NEURON must open.

    Attributes:
        launcher: Command words before ``-n``.
        library: The shared object itself, not the linker script beside it.
    """

    launcher: list[str]
    library: Path


def find_mpi(launcher: str | None = None) -> Mpi:
    """Finds MPI: the caller's choice, then SONATINA_MPI, then srun in a SLURM job, then mpich's own.

    Only srun reaches the other nodes of a job: Snakemake's SLURM executor hides their names from
    mpiexec. mpich and SLURM share the interface PMI-2.

    Args:
        launcher: Launch command such as ``"srun --mpi=pmi2"``.

    Raises:
        ToolError: If launcher or library cannot be found; says what to install.
    """
    words = shlex.split(launcher or os.environ.get("SONATINA_MPI", "") or "")
    if not words and in_slurm() and shutil.which("srun"):
        words = ["srun", "--mpi=pmi2"]
    if not words:
        beside = Path(sys.executable).parent / "mpiexec"
        words = [str(beside)] if beside.is_file() else ["mpiexec"]
    program = shutil.which(words[0])
    if program is None:
        raise ToolError(Problem("MPI", f"no launcher {words[0]!r} on this machine", _INSTALL))
    return Mpi([program, *words[1:]], _find_library(Path(program)))


def _find_library(program: Path) -> Path:
    named = os.environ.get("SONATINA_MPI_LIB")
    if named:
        if not is_shared_object(Path(named)):
            hint = "name the .so file itself"
            raise ToolError(Problem("SONATINA_MPI_LIB", f"{named!r} is no shared library", hint))
        return Path(named)
    folders = [Path(sys.prefix) / "lib", program.resolve().parent.parent / "lib"]
    folders += [Path(sys.prefix) / "lib64", Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib64")]
    for folder in dict.fromkeys(folders):
        found = [p for p in sorted(folder.glob("libmpi.so*")) if is_shared_object(p)]
        if found:
            return found[0]
    raise ToolError(Problem("MPI", f"no libmpi for {program}", _INSTALL))


def is_shared_object(path: Path) -> bool:
    """Whether a file is a real ELF object; pip's mpich keeps a linker script under ``libmpi.so``."""
    try:
        with open(path, "rb") as handle:
            return handle.read(4) == b"\x7fELF"
    except OSError:
        return False


def run_ranks(
    module: str, job: dict, ranks: int, launcher: str | None = None, shared: Path | None = None
) -> dict:
    """Runs ``python -m module JOB`` on MPI ranks, or in one plain process for one rank.

    The first failing rank's message becomes the error; every other rank is stopped with it.

    Args:
        module: Module with a ``main``; see ``run_worker``.
        job: JSON-like description, handed over in a file.
        ranks: Number of ranks.
        launcher: Launch command; None means as found.
        shared: Folder that all nodes of a cluster see; holds the job's files in a SLURM job.

    Returns:
        What the worker of rank 0 returned.

    Raises:
        PipelineError: With the worker's own message and exit code.
        SimulationError: If a worker died without a message.
    """
    environment = dict(os.environ, OMP_NUM_THREADS="1", NEURON_MODULE_OPTIONS="-nogui")
    # Workers import what this process imports, wherever they are started.
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    if sys.stderr.isatty():
        environment["SONATINA_TTY"] = "1"
    with tempfile.TemporaryDirectory(prefix="sonatina-", dir=_place(shared, ranks)) as folder:
        job_file = Path(folder) / "job.json"
        parent = [platform.node(), os.getpid()]
        job_file.write_text(json.dumps(job | {"exchange": folder, "parent": parent}))
        command = [sys.executable, "-m", module, str(job_file)]
        if ranks > 1:
            mpi = find_mpi(launcher)
            environment |= {"NEURON_INIT_MPI": "1", "MPI_LIB_NRN_PATH": str(mpi.library)}
            environment["SLURM_KILL_BAD_EXIT"] = "1"  # srun lets the others of a dead rank wait
            command = [*mpi.launcher, "-n", str(ranks), *command]
        code, output = _run(command, environment)
        return _outcome(Path(folder), code, output)


def _place(shared: Path | None, ranks: int) -> Path | None:
    """Where the job's files go; None is the node's own scratch."""
    return shared.resolve() if shared and ranks > 1 and in_slurm() else None


def minutes_left() -> float | None:
    """Returns what SLURM leaves to this job, min; None outside, and where it sets no limit."""
    if not in_slurm() or not shutil.which("squeue"):
        return None
    command = ["squeue", "--noheader", "--format=%L", f"--jobs={os.environ['SLURM_JOB_ID']}"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return None
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", said.stdout.strip())
    days, hours, minutes, seconds = (
        (float(part or 0) for part in found.groups()) if found else [0] * 4
    )
    return (days * 24 + hours) * 60 + minutes + seconds / 60 or None


def in_slurm() -> bool:
    """Whether this process belongs to a SLURM job, which may span nodes."""
    return "SLURM_JOB_ID" in os.environ


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=None if "SONATINA_TTY" in environment else subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    return process.returncode, output


def _outcome(folder: Path, code: int, output: str) -> dict:
    failures = sorted(folder.glob("error-*.json"), key=lambda p: p.stat().st_mtime_ns)
    if failures:
        error = json.loads(failures[0].read_text())
        problems = [Problem(**problem) for problem in error["problems"]]
        kind = PipelineError if error["exit_code"] == 2 else SimulationError
        raised = kind(problems)
        raised.exit_code = error["exit_code"]
        raise raised
    result = folder / "result.json"
    if code == 0 and result.is_file():
        return json.loads(result.read_text())
    raise SimulationError(_death(folder, code, output or ""))


_KILLED = "the machine may have run out of memory: see 'sonatina simulate --dry-run'"
_CRASHED = "a mechanism or a library went wrong; the innermost calls come first"


def _death(folder: Path, code: int, output: str) -> Problem:
    """What is known of a worker that ended without a message of its own."""
    told = re.search(r"\(signal (\d+)\)", output)  # mpich's words
    task = re.search(
        r"^srun: error: \S+: tasks? (\d+).*?: (.+)$", output, re.MULTILINE
    )  # the first
    number = int(told[1]) if told else _signal_of(task[2]) if task else -code
    ranks = {path.stem.split("-")[2]: path for path in folder.glob("crash-*.txt")}
    crashed = next((path for path in ranks.values() if path.stat().st_size), None)
    named = re.search(r"PID (\d+) RUNNING AT", output)
    culprit = crashed or ranks.get(named[1] if named else "")
    if culprit is None and len(ranks) == 1:
        culprit = next(iter(ranks.values()))
    rank = culprit.stem.split("-")[1] if culprit else task[1] if task else ""
    where = f"rank {rank}" if rank else "a rank"
    try:
        signal_name = signal.Signals(number).name
    except ValueError:
        said = [line for line in output.splitlines() if line.strip() and not _is_banner(line)]
        tail = "\n".join(said[-15:]) or "it said nothing"
        return Problem(where, f"ended with exit code {code} and no message of its own:\n{tail}")
    if number in (signal.SIGKILL, signal.SIGTERM):
        return Problem(where, f"was killed from outside ({signal_name})", _KILLED)
    frames = _frames(crashed) if crashed else ""
    said = re.search(r"^.*(?:Assertion .* failed|what\(\):).*$", output, re.MULTILINE)
    frames += f": {said[0].strip()[:300]}" if said else ""
    return Problem(where, f"crashed ({signal_name}){frames}", _CRASHED if frames else "")


def _signal_of(words: str) -> int:
    """The number of a signal that srun tells in words; 0 for other words."""
    numbers = {signal.strsignal(number): number for number in signal.valid_signals()}
    return int(numbers.get(words.removesuffix(" (core dumped)"), 0))


def _frames(crashed: Path) -> str:
    """The innermost calls of a crashed process, as Python saw them."""
    lines = crashed.read_text(errors="replace").splitlines()
    calls = [re.match(r'  File "(?:.*/)?([^"/]+)", line (\d+) in (.+)', line) for line in lines]
    named = [f"{call[3]} ({call[1]}:{call[2]})" for call in calls if call]
    return " in " + ", called by ".join(named[:3]) if named else ""


def _is_banner(line: str) -> bool:
    words = ("YOUR APPLICATION TERMINATED", "This typically refers", "Please see the FAQ")
    return line.startswith(("=", "numprocs=", *words))
