"""The headers that every translated mechanism begins with, compiled once per build.

Most of the time to compile a mechanism goes into the same headers again. GCC reads them from one file if
they come first and its options are the same; code of mechanisms is equal to the byte. Where anything is
otherwise (another compiler, another layout of NEURON, blanks in a path, no room) nothing is precompiled
and the build takes longer.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Part:
    """Attributes:
    makefile: Below NEURON's folder; its variables are the options of a mechanism's compilation.
    command: Of one mechanism, as the makefile writes it.
    extra: The variable that carries ``-incflags``.
    headers: What translated files begin with, in their order.
    """

    makefile: str
    command: str
    extra: str
    headers: tuple[str, ...]


_NEURON = _Part(
    "bin/nrnmech_makefile", "$(CXXCOMPILE) $(INCLUDES) -fPIC", "UserINCFLAGS",
    ("stdio.h", "stdlib.h", "math.h", "mech_api.h"),
)  # fmt: skip
_CORENEURON = _Part(
    "share/coreneuron/nrnivmodl_core_makefile", "$(CXX_COMPILE_CMD)", "INCFLAGS",
    (
        "math.h", "stdio.h", "stdlib.h", "string.h", "coreneuron/gpu/nrn_acc_manager.hpp",
        "coreneuron/mechanism/mech/mod2c_core_thread.hpp", "coreneuron/mechanism/register_mech.hpp",
        "coreneuron/nrnconf.h", "coreneuron/nrniv/nrniv_decl.h", "coreneuron/sim/multicore.hpp",
        "coreneuron/sim/scopmath/newton_thread.hpp", "coreneuron/utils/ivocvect.hpp",
        "coreneuron/utils/nrnoc_aux.hpp", "coreneuron/utils/randoms/nrnran123.h",
    ),
)  # fmt: skip
_WORTH = 5
"""Mechanisms from which NEURON's headers pay; CoreNEURON always compiles ten of its own."""
_PATIENCE = 120.0
"""s. Limit for one of these files."""


@contextlib.contextmanager
def headers(
    folder: Path, compiler: str, mechanisms: int, coreneuron: bool, extra: str
) -> Iterator[str]:
    """Offers precompiled headers while a build runs.

    Args:
        folder: Where they are; made, and removed at the end.
        compiler: The C++ compiler.
        mechanisms: Number of files that will be compiled.
        coreneuron: Whether CoreNEURON's are compiled, too.
        extra: Further options of the build.

    Yields:
        An option for the compiler; "" where nothing was precompiled.
    """
    parts = [_NEURON] * (mechanisms >= _WORTH) + [_CORENEURON] * coreneuron
    root = _neuron_folder()
    # make splits options at blanks.
    usable = parts and root and not any(len(str(path).split()) > 1 for path in (folder, root))
    try:
        if usable and _is_gcc(compiler):
            yield _precompile(folder, root, parts, compiler, extra)
        else:
            yield ""
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _precompile(folder: Path, root: Path, parts: list[_Part], compiler: str, extra: str) -> str:
    file = folder / "first.hpp"
    lines = {part: "\n".join(f"#include <{name}>" for name in part.headers) for part in parts}
    core, plain = lines.get(_CORENEURON, ""), lines.get(_NEURON, "")
    text = f"#ifdef CORENEURON_BUILD\n{core}\n#else\n{plain}\n#endif\n"
    compiled = folder / "first.hpp.gch"  # a folder: GCC takes the file whose options fit
    running = []
    try:
        compiled.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
        for number, part in enumerate(parts):
            command = _command(folder, root, part, compiler, extra)
            if command:
                out = ["-x", "c++-header", str(file), "-o", str(compiled / str(number))]
                running.append(_start([*command, *out]))
        done = [process.wait(_PATIENCE) == 0 for process in running]
    except (OSError, subprocess.SubprocessError):
        done = []
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()
    if done and all(done):
        return f"-include {file}"
    shutil.rmtree(folder, ignore_errors=True)  # a disk that is full should not be fuller
    return ""


def _start(command: list[str]) -> subprocess.Popen:
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _command(folder: Path, root: Path, part: _Part, compiler: str, extra: str) -> list[str]:
    """Asks make how it would compile a mechanism; empty where it does not tell."""
    (folder / "makemod2c_inc").touch()  # NEURON's makefile wants the list of files, which is none
    mark = "SONATINA "
    ask = f"sonatina: ; $(info {mark}{part.command})@:"
    command = [
        "make", "-s", "-f", str(root / part.makefile), f"--eval={ask}", f"ROOT={root}",
        f"{part.extra}={extra}", "sonatina",
    ]  # fmt: skip
    environment = {"CXX": compiler} | os.environ
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE, env=environment, cwd=folder
    )
    told = [line for line in done.stdout.splitlines() if line.startswith(mark)]
    return shlex.split(told[-1].removeprefix(mark)) if told else []


def _neuron_folder() -> Path | None:
    """Where NEURON's wheel has its makefiles; None for another way of installing it."""
    found = importlib.util.find_spec("neuron")
    folder = Path(found.origin).parent / ".data" if found and found.origin else None
    return folder if folder and folder.is_dir() and sys.platform == "linux" else None


def _is_gcc(compiler: str) -> bool:
    if shutil.which(compiler) is None:
        return False
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=60)
    return "Free Software Foundation" in done.stdout
