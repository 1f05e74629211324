"""Compiling a mechanism set for NEURON and CoreNEURON: ours beside plain nrnivmodl, in processor time.

``python bench/compile.py [SET]``: a folder of mechanisms/, default cortex. Both start from nothing.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rows import tell

from pipeline.mechanisms import compile_sets

ROOT = Path(__file__).resolve().parents[1]


def cost() -> float:
    """Processor seconds of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain(folder: Path, place: Path) -> float:
    """Returns the processor seconds of nrnivmodl by hand."""
    shutil.copytree(folder, place / "mods")
    before = cost()
    command = [Path(sys.executable).parent / "nrnivmodl", "-coreneuron", "mods"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return cost() - before


def ours(folder: Path, place: Path) -> float:
    """Returns the processor seconds of our build."""
    before = cost()
    compile_sets([folder], place, coreneuron=True)
    return cost() - before


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else "cortex"
    folder = ROOT / "mechanisms" / name
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        peer, mine = plain(folder, Path(one)), ours(folder, Path(other))
    print(
        f"{name}: nrnivmodl {peer:.1f} s, ours {mine:.1f} s of processor time: {peer / mine:.2f} x"
    )
    tell(f"mechanisms/{name} compiled for NEURON and CoreNEURON", mine, "CPU s", peer, "nrnivmodl")
