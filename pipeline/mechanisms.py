"""NMODL sets: find, read, compile once per content, cache and load.

A set is a folder of ``.mod`` files. A compiled library lives in a folder named after a hash of
everything that decides its content, so that it is never stale and never overwritten.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MechanismError, Problem, ToolError
from pipeline.nmodl import BUILTIN, Mechanism, describe, explain
from pipeline.precompiled import headers
from pipeline.runtime import file_hash, make_folder, value_hash, write_json

log = logging.getLogger(__name__)

COMPILER_FLAGS = {
    "exact": "",
    "fast": "-O3 -march=native -ffast-math -fopenmp-simd",
}
"""Extra compiler options; they follow the ``-O2`` of NEURON's makefiles, and the last -O wins."""

NEURON = 9
"""Major version of NEURON."""
_FORMAT = 1
_SOURCE_SUFFIXES = (".mod", ".inc", ".h", ".hpp")


@dataclass(frozen=True)
class Library:
    """A compiled set, ready to load.

    Attributes:
        path: The ``libnrnmech`` file for NEURON.
        coreneuron: The ``libcorenrnmech`` file, or None when it was not asked for.
        hash: 16 hex digits that name sources, tools and options.
        mechanisms: What the library offers, by name in NEURON.
        seconds: Wall time of the compilation in this call; 0 when the cache had it.
    """

    path: Path
    coreneuron: Path | None
    hash: str
    mechanisms: Mapping[str, Mechanism]
    seconds: float


def find_set(name_or_path: str | Path, roots: Sequence[str | Path]) -> Path:
    """Returns the folder of a mechanism set.

    Args:
        name_or_path: A name below one of the roots (the first root wins) or the path of a folder.
        roots: Folders that hold sets.

    Raises:
        MechanismError: If no such folder holds ``.mod`` files; names the sets that come near.
    """
    for folder in [*(Path(root) / name_or_path for root in roots), Path(name_or_path)]:
        if folder.is_dir() and any(folder.glob("*.mod")):
            return folder.resolve()
    known = {
        file.parent.relative_to(root).as_posix() for root in roots for file in _mods_below(root)
    }
    near = difflib.get_close_matches(str(name_or_path), sorted(known), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known sets: {_listing(known)}"
    where = ", ".join(str(root) for root in roots) or "."
    message = f"no folder with .mod files is called '{name_or_path}'"
    raise MechanismError(Problem(where, message, hint))


def describe_set(folder: str | Path) -> dict[str, Mechanism]:
    """Reads all ``.mod`` files of a folder.

    Returns:
        Mechanisms by their name in NEURON, in the order of the file names.

    Raises:
        MechanismError: For unreadable files and for names that are doubled or NEURON's own; all
            problems of the folder at once.
    """
    return describe(sorted(Path(folder).glob("*.mod")))


def missing(used: Mapping[str, Sequence[str]], available: Iterable[str]) -> list[Problem]:
    """Lists mechanisms that a model uses and nothing provides.

    Args:
        used: Mechanism name to the places (``file:line``) that use it.
        available: Names the compiled sets provide; NEURON's own are always added.

    Returns:
        One problem per missing name, in the order of ``used``.
    """
    names = sorted(BUILTIN.union(available))
    folded = {name.lower(): name for name in reversed(names)}
    problems = []
    for name, places in used.items():
        if name in names:
            continue
        near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
        hint = f"did you mean '{folded[near[0]]}'?" if near else "add the set that has it"
        where = ", ".join(places[:3]) + (f" and {len(places) - 3} more" if places[3:] else "")
        problems.append(Problem(where, f"no compiled set has the mechanism '{name}'", hint))
    return problems


def compile_sets(
    folders: Sequence[str | Path],
    cache_root: str | Path,
    *,
    coreneuron: bool = False,
    flags: str = "exact",
    defines: Sequence[str] = (),
    timeout: float = 1800.0,
) -> Library:
    """Compiles several sets into one library, or takes it from the cache.

    Any number of processes may ask at once: one builds, the others wait for it. A build happens in
    a private folder and becomes visible by one rename, its manifest written last.

    Args:
        folders: Set folders; equal files in two sets count once.
        cache_root: Folder of the cache; made when missing.
        coreneuron: Build the CoreNEURON library too.
        flags: A key of COMPILER_FLAGS. ``"fast"`` changes rounding (and lets denormal numbers
            become zero in a process that loads the CoreNEURON library).
        defines: Macros of the C++ preprocessor that the sources ask for.
        timeout: s. Limit of the compilation.

    Raises:
        MechanismError: For unusable sources (file and line) or a compilation over the limit.
        ToolError: If NEURON's nrnivmodl, a compiler, make or perl is missing.
    """
    sources = _collect(folders)
    mechanisms = describe([path for path in sources.values() if path.suffix == ".mod"])
    if flags not in COMPILER_FLAGS:
        hint = f"use one of {', '.join(COMPILER_FLAGS)}"
        raise MechanismError(Problem("flags", f"unknown choice '{flags}'", hint))
    extra = " ".join(filter(None, [*(f"-D{name}" for name in defines), COMPILER_FLAGS[flags]]))
    program, identity = _toolchain(flags)
    content = {name: file_hash(path) for name, path in sources.items()}
    options = _options(coreneuron, extra)
    parts = {"format": _FORMAT, "sources": content, "options": options, "tools": identity}
    key = value_hash(parts)[:16]
    root = Path(cache_root).resolve()
    target = root / key
    seconds = 0.0
    if not _finished(target):
        make_folder(root, "--cache")
        with _locked(root / f".{key}.lock"):
            if not _finished(target):
                seconds = _build(target, program, (coreneuron, extra), sources, parts, timeout)
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    core = target / manifest["coreneuron"] if manifest["coreneuron"] else None
    return Library(target / manifest["library"], core, key, mechanisms, seconds)


def _options(coreneuron: bool, flags: str) -> list[str]:
    """Options of nrnivmodl."""
    return [*(["-coreneuron"] if coreneuron else []), *(["-incflags", flags] if flags else [])]


def load(library: Library) -> None:
    """Loads a compiled set into this process's NEURON; also tells CoreNEURON where its part is.

    Raises:
        MechanismError: As ``load_library``.
    """
    load_library(library.path)
    if library.coreneuron is not None:
        os.environ["CORENEURONLIB"] = str(library.coreneuron)


def load_library(path: str | Path) -> None:
    """Loads a library file into this process's NEURON, once.

    Raises:
        MechanismError: If another library is loaded already, or NEURON refuses this one.
    """
    import neuron

    folder = str(Path(path).parent.parent)
    if folder in neuron.nrn_dll_loaded:
        return
    if neuron.nrn_dll_loaded:
        message = f"this process already loaded {neuron.nrn_dll_loaded[0]}"
        hint = "compile all sets of a run into one library, and use one process per run"
        raise MechanismError(Problem(str(path), message, hint))
    if not neuron.h.nrn_load_dll(str(path)):
        hint = "run 'sonatina compile' for this model again"
        raise MechanismError(Problem(str(path), "NEURON cannot load this library", hint))
    neuron.nrn_dll_loaded.append(folder)


def _mods_below(root: str | Path) -> list[Path]:
    return [file for file in Path(root).rglob("*.mod") if file.parent != Path(root)]


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _collect(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Returns the files to compile by file name; equal files of several sets count once."""
    sources: dict[str, Path] = {}
    problems = []
    for folder in map(Path, folders):
        files = [file for file in sorted(folder.glob("*")) if file.suffix in _SOURCE_SUFFIXES]
        if not any(file.suffix == ".mod" for file in files):
            problems.append(Problem(str(folder), "holds no .mod file", "name another folder"))
        for file in files:
            other = sources.setdefault(file.name, file)
            if other is not file and other.read_bytes() != file.read_bytes():
                message = f"differs from {other}, a file of the same name"
                problems.append(Problem(str(file), message, "rename one of the two"))
    if not sources and not problems:
        problems.append(Problem("", "no mechanism set was named"))
    if problems:
        raise MechanismError(problems)
    return dict(sorted(sources.items()))


def require_neuron() -> str:
    """Returns the version of NEURON that is installed.

    Raises:
        ToolError: If there is none, or one whose mechanisms and results differ.
    """
    hint = f"pip install 'neuron>={NEURON},<{NEURON + 1}'"
    try:
        version = importlib.metadata.version("neuron")
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(Problem("neuron", "is not installed", hint)) from None
    if version.split(".")[0] != str(NEURON):
        message = f"version {version} is installed; Sonatina runs on {NEURON}"
        raise ToolError(Problem("neuron", message, hint))
    return version


def _toolchain(flags: str) -> tuple[Path, dict[str, str]]:
    """Returns nrnivmodl and what identifies the tools; raises ToolError for a missing one."""
    neuron = require_neuron()
    beside = Path(sys.executable).parent / "nrnivmodl"
    program = beside if beside.is_file() else shutil.which("nrnivmodl")
    if program is None:
        raise ToolError("nrnivmodl was not found beside this Python; pip install neuron")
    compiler = _compiler()
    for tool in (compiler, "make", "perl"):
        if shutil.which(tool) is None:
            raise ToolError(
                f"{tool} was not found, and NEURON needs it to compile mechanisms; "
                "install g++ and make, e.g. apt install g++ make perl"
            )
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60)
    identity = {
        "neuron": neuron,
        "compiler": (version.stdout.splitlines() or [compiler])[0],
        "machine": platform.machine(),
    }
    if "native" in COMPILER_FLAGS[flags]:
        # A cache shared by unlike machines must not offer one of them the other's instructions.
        macros = [compiler, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]
        output = subprocess.run(macros, capture_output=True, timeout=60).stdout
        identity["native"] = hashlib.sha256(output).hexdigest()
    return Path(program), identity


def _compiler() -> str:
    return shlex.split(os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "g++")[0]


def _finished(target: Path) -> bool:
    """Tells whether a cache folder is a whole build."""
    try:
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        parts = [manifest["library"], manifest["coreneuron"]]
    except (OSError, ValueError, KeyError):
        return False
    return all((target / part).is_file() for part in parts if part)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock between processes; the system frees it when a process dies."""
    with open(path, "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("another process compiles the same mechanisms; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(
    target: Path, program: Path, given: tuple[bool, str], sources: Mapping[str, Path], parts: dict,
    timeout: float,
) -> float:  # fmt: skip
    """Compiles into a private folder and renames it to ``target``; returns the seconds it took."""
    for leftover in target.parent.glob(f".{target.name}.build-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a killed process: we hold the lock
    if target.exists():
        shutil.rmtree(target)  # damaged, or it would have been used
    build = Path(tempfile.mkdtemp(prefix=f".{target.name}.build-", dir=target.parent))
    try:
        build.chmod(0o755)
        (build / "mods").mkdir()
        for name, path in sources.items():
            shutil.copyfile(path, build / "mods" / name)
        count, (coreneuron, extra) = sum(name.endswith(".mod") for name in sources), given
        log.info("compiling %d mechanism files", count)
        begin = time.perf_counter()
        with headers(build / "headers", _compiler(), count, coreneuron, extra) as first:
            options = _options(coreneuron, " ".join(filter(None, [extra, first])))
            status, output = _run([str(program), *options, "mods"], build, timeout)
        seconds = time.perf_counter() - begin
        library = next(iter(sorted(build.glob("*/libnrnmech.*"))), None)
        core = next(iter(sorted(build.glob("*/libcorenrnmech.*"))), None)
        if status is None or status != 0 or library is None:
            limit = f"the compilation took more than {timeout:g} s" if status is None else ""
            raise MechanismError(
                Problem(str(program), limit, "raise the limit")
                if limit
                else explain(output, sources)
            )
        log.debug("%s", output)
        _keep_products(library.parent)
        (build / "build.log").write_text(output, encoding="utf-8")
        relative = {
            "library": library.relative_to(build).as_posix(),
            "coreneuron": core.relative_to(build).as_posix() if core else None,
        }
        write_json(build / "manifest.json", parts | relative | {"seconds": round(seconds, 3)})
        build.rename(target)
    finally:
        shutil.rmtree(build, ignore_errors=True)
    log.info("compiled mechanisms in %.1f s: %s", seconds, target)
    return seconds


def _run(command: list[str], folder: Path, timeout: float) -> tuple[int | None, str]:
    """Runs a command; returns its status (None when the time ran out) and all it printed."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if process.poll() is None:  # the time ran out or the user interrupts: make's children too
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return process.returncode, output


def _keep_products(folder: Path) -> None:
    """Removes objects and generated code; libraries and the special programs stay."""
    shutil.rmtree(folder.parent / "tmp", ignore_errors=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not (path.name.startswith("special") or path.name.startswith("lib")):
            path.unlink()
