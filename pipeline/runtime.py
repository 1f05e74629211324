"""What every stage needs from the machine: atomic files, keyed random numbers, logging, ranks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import hashlib
import json
import logging
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DiskError, PipelineError, Problem
from pipeline.guard import alive

if TYPE_CHECKING:
    import numpy as np

_RANK_VARIABLES = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
_SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def make_folder(path: str | Path, option: str = "--out") -> Path:
    """Makes a folder with its parents.

    Args:
        path: The folder.
        option: The command line option by which the user can choose another place.

    Raises:
        PipelineError: If it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error, option) from None
    return Path(path)


def _cannot_write(path: str | Path, error: OSError, option: str = "--out") -> PipelineError:
    hint = f"choose another {option}, or free the place"
    return PipelineError(Problem(str(path), f"cannot write here ({error.strerror})", hint))


def full_disk(error: BaseException) -> Problem | None:
    """Returns the problem that an error stands for if a file system is full, else None.

    HDF5 gives the system's error as text only, with the temporary name of the file.
    """
    text = str(error)
    number = getattr(error, "errno", None)
    if number not in (errno.ENOSPC, errno.EDQUOT):
        if not isinstance(error, OSError | RuntimeError) or os.strerror(errno.ENOSPC) not in text:
            return None
    named = re.search(r"filename = '([^']+)'", text)
    path = Path(getattr(error, "filename", None) or (named[1] if named else "a file"))
    path = path.with_name(re.sub(r"^\.(.+)\.[^.]+-\d+\.\w+\.tmp$", r"\1", path.name))
    return Problem(str(path), "the disk is full", "free space, or choose another --out")


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary sibling of ``path`` that takes its place when the block ends well.

    Whatever happens, ``path`` holds either its old content or the whole new one.

    Args:
        path: The file to write; its folder is made when missing.

    Raises:
        PipelineError: If the folder cannot be written.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        owner = f"{platform.node()}-{os.getpid()}"
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.{owner}.", suffix=".tmp", dir=path.parent
        )
    except OSError as error:
        raise _cannot_write(path, error) from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException as error:
        if problem := full_disk(error):
            raise DiskError(problem) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: str | Path, wait: float = 0.0) -> None:
    """Removes temporary files below a folder whose writer on this machine is no longer alive.

    Args:
        folder: The folder.
        wait: s. So long it waits for writers that are still ending.
    """
    mark = re.compile(rf"^\..*\.{re.escape(platform.node())}-(\d+)\.\w+\.\w+$")
    until = time.monotonic() + wait
    while True:
        writing = False
        for path in Path(folder).rglob(".*"):
            owner = mark.match(path.name)
            if owner and alive(int(owner[1])):
                writing = True
            elif owner:
                path.unlink(missing_ok=True)
        if not writing or time.monotonic() >= until:
            return
        time.sleep(0.05)


def require_writable(folder: str | Path, option: str = "--out") -> None:
    """Makes sure, before long work, that files can be made in a folder.

    Raises:
        PipelineError: If they cannot.
    """
    try:
        with tempfile.TemporaryFile(dir=make_folder(folder, option)):
            pass
    except OSError as error:
        raise _cannot_write(folder, error, option) from None


@contextlib.contextmanager
def only_one(folder: str | Path) -> Iterator[None]:
    """Holds a folder against other commands; the system lets go of it when this process dies.

    Raises:
        PipelineError: If another command holds it.
    """
    handle = os.open(make_folder(folder), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "another run works in this folder"
            hint = "wait for it, or choose another --out"
            raise PipelineError(Problem(str(folder), message, hint)) from None
        except OSError:
            logging.getLogger(__name__).debug("%s: no locks on this file system", folder)
        yield
    finally:
        os.close(handle)


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file atomically (UTF-8, ``\\n`` line ends)."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: object) -> None:
    """Writes JSON atomically with sorted keys, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def file_hash(path: str | Path) -> str:
    """Returns the sha256 of a file's bytes as hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def value_hash(value: object) -> str:
    """Returns the sha256 of a JSON-like value, independent of key order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


class JsonStore:
    """A folder of JSON objects by content key; killed processes leave whole files or none.

    Args:
        folder: May be shared by models, variants and machines.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where the object of a key is."""
        return self.folder / key[:2] / f"{key}.json"

    def get(self, key: str) -> dict | None:
        """Returns the object of a key; None where there is none, or a damaged file."""
        try:
            found = json.loads(self.path(key).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            logging.getLogger(__name__).warning("%s is damaged; made anew", self.path(key))
            return None
        return found

    def put(self, key: str, value: dict) -> None:
        """Keeps an object."""
        write_json(self.path(key), value)


def rng_for(seed: int, stage: str, *ids: int) -> np.random.Generator:
    """Returns the random stream that belongs to one thing (a cell, a pair, a contact).

    The stream is a Philox counter generator keyed by seed, stage and ids alone; ranks, threads,
    chunks and the order of calls have no influence on it (Salmon et al. 2011, SC'11).

    Args:
        seed: The model's seed.
        stage: Name of the stage; separates draws of different stages for the same ids.
        ids: Non-negative integers that name the thing.
    """
    import numpy as np

    digest = hashlib.blake2b(stage.encode(), digest_size=8).digest()
    words = [seed, int.from_bytes(digest, "little"), *ids]
    key = np.random.SeedSequence(words).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def rank() -> int:
    """Returns this process's MPI rank as the launcher states it; 0 without MPI."""
    return next((int(os.environ[name]) for name in _RANK_VARIABLES if name in os.environ), 0)


def launched_ranks() -> int:
    """Returns how many ranks the MPI launcher started; 0 when no launcher did."""
    if not any(name in os.environ for name in _RANK_VARIABLES):
        return 0
    return next((int(os.environ[name]) for name in _SIZE_VARIABLES if name in os.environ), 1)


def setup_logging(verbosity: int = 0) -> None:
    """Sends log records to stderr: rank 0 speaks, other ranks only warn and say who they are."""
    level = logging.WARNING if rank() else (logging.DEBUG if verbosity else logging.INFO)
    prefix = f"[rank {rank()}] " if rank() else ""
    logging.basicConfig(level=level, stream=sys.stderr, format=prefix + "%(message)s", force=True)
    for noisy in ("matplotlib", "fontTools", "numba", "h5py", "bmtk"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def pin_threads(threads: int = 1) -> None:
    """Fixes the thread count of numeric libraries unless the user set it."""
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))


def pin_display() -> None:
    """Keeps NEURON, here and in workers, from looking for a display and saying that there is none."""
    os.environ.setdefault("NEURON_MODULE_OPTIONS", "-nogui")


def pin_kernels() -> None:
    """Gives compiled kernels a cache of their own per version of their source.

    Numba's cache looks at one file at a time; a kernel whose helper in another file changed would be
    taken from the cache as it was. The same goes for a folder that the user chose.
    """
    digest, package = hashlib.sha256(), Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        text = path.read_bytes()
        law = path.parent == package / "config/laws"  # compiled, and says nothing of it
        if law or b"numba" in text or b"pipeline.kernels" in text:
            digest.update(text)
    version, chosen = digest.hexdigest()[:16], os.environ.get("NUMBA_CACHE_DIR")
    cache = Path(os.environ.get("SONATINA_CACHE", ".cache")).resolve()
    root = Path(chosen) if chosen else cache / "kernels"
    if root.name != version:  # a worker has it from the command that started it
        os.environ["NUMBA_CACHE_DIR"] = str(root / version)


@contextlib.contextmanager
def quick_imports() -> Iterator[None]:
    """Saves a tenth of the time of imports and checks: no search for garbage, no threads for algebra."""
    pause = gc.isenabled()
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    gc.disable()
    pin_threads()
    try:
        yield
    finally:
        if pause:
            gc.enable()
        for name in [name for name, value in before.items() if value is None]:
            os.environ.pop(name, None)


def progress(
    iterable=None,
    *,
    total: float | None = None,
    label: str = "",
    unit: str = "it",
    initial: float = 0,
):
    """Returns a tqdm bar that shows only on rank 0 and only on a terminal."""
    from tqdm import tqdm

    terminal = sys.stderr.isatty() or "SONATINA_TTY" in os.environ
    silent = rank() != 0 or not terminal
    return tqdm(
        iterable, total=total, desc=label, unit=unit, disable=silent, leave=False, initial=initial
    )
