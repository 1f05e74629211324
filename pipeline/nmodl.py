"""What NMODL sources declare, and what the NMODL and C++ compilers say about them.

Reads only as much of the language as a check before the compiler needs: comments, the NEURON
block and the names in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MechanismError, Problem

BUILTIN = frozenset(
    "morphology capacitance pas extracellular fastpas hh na_ion k_ion ca_ion "
    "IClamp SEClamp VClamp OClamp AlphaSynapse ExpSyn Exp2Syn APCount NetStim PatternStim "
    "IntFire1 IntFire2 IntFire4 PointProcessMark".split()
)
"""Names that NEURON 9 knows without any compiled set."""

BUILTIN_RANGES = {
    "pas": ("g", "e", "i"),
    "hh": ("gnabar", "gkbar", "gl", "el", "gna", "gk", "il"),
}
"""What an e-model may set of NEURON's own channels."""

_KINDS = {"SUFFIX": "density", "POINT_PROCESS": "point", "ARTIFICIAL_CELL": "artificial"}
_NAME = r"[A-Za-z_]\w*"
_SKIPPED = re.compile(
    r"[:?][^\n]*"  # a comment up to the end of its line
    r"|\bCOMMENT\b.*?(?:\bENDCOMMENT\b|\Z)"
    r"|\bVERBATIM\b.*?(?:\bENDVERBATIM\b|\Z)"  # C++, where : and ? mean something else
    r"|\bTITLE\b[^\n]*"
    r'|"[^"\n]*"',
    re.DOTALL,
)
_NRN_ERROR = re.compile(r"^(?P<text>.*?) at line (?P<line>\d+) in file (?P<file>\S+\.mod)", re.M)
_NMODL_RUN = re.compile(r"bin/nmodl (?:\S*/)?(?P<file>[^/\s]+\.mod) ")
_NMODL_ERROR = re.compile(r"NMODL Parser Error : (?P<text>.*?) \[Location : (?P<line>\d+)")
_CPP_ERROR = re.compile(
    r"(?P<file>[^/\s]+)\.cpp:(?P<line>\d+):\d+: (?:fatal )?error: (?P<text>[^\n]*)"
    r"(?:\n *\d+ \|(?P<source>[^\n]*))?"
)


@dataclass(frozen=True)
class Mechanism:
    """What one ``.mod`` file declares in its NEURON block.

    Attributes:
        name: Name in NEURON; ``"nothing"`` for a file of functions only.
        kind: ``"density"``, ``"point"`` or ``"artificial"``.
        file: The source file.
        line: Line of the NEURON block, counted from 1.
        ranges: RANGE names in the order of the file.
        ions: Names after USEION.
    """

    name: str
    kind: str
    file: Path
    line: int
    ranges: tuple[str, ...]
    ions: tuple[str, ...]


def strip_comments(text: str) -> str:
    """Returns NMODL text of the same length and lines with comments, strings and C++ blanked."""
    return _SKIPPED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def declared(mod_path: str | Path) -> Mechanism:
    """Reads what a ``.mod`` file declares.

    Raises:
        MechanismError: If the file cannot be read or has no complete NEURON block.
    """
    path = Path(mod_path)
    try:
        text = strip_comments(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise MechanismError(
            Problem(str(path), f"cannot be read ({error.strerror})", "check it")
        ) from None
    start = re.search(r"\bNEURON\s*\{", text)
    if start is None:
        hint = "add NEURON { SUFFIX name ... }, or end an open COMMENT with ENDCOMMENT"
        raise MechanismError(Problem(f"{path}:1", "no NEURON block outside of comments", hint))
    line = text.count("\n", 0, start.start()) + 1
    end = text.find("}", start.end())
    if end < 0:
        hint = "close it with }"
        raise MechanismError(Problem(f"{path}:{line}", "the NEURON block does not end", hint))
    block = text[start.end() : end]
    kind = re.search(rf"\b({'|'.join(_KINDS)})\s+({_NAME})", block)
    ranges = re.findall(rf"\bRANGE\s+({_NAME}(?:\s*,\s*{_NAME})*)", block)
    return Mechanism(
        name=kind[2] if kind else path.stem,
        kind=_KINDS[kind[1]] if kind else "density",
        file=path,
        line=line,
        ranges=tuple(name.strip() for names in ranges for name in names.split(",")),
        ions=tuple(re.findall(rf"\bUSEION\s+({_NAME})", block)),
    )


def describe(files: Sequence[Path]) -> dict[str, Mechanism]:
    """Reads ``.mod`` files; raises all their problems at once."""
    problems: list[Problem] = []
    found: dict[str, Mechanism] = {}
    for file in files:
        try:
            mechanism = declared(file)
        except MechanismError as error:
            problems += error.problems
            continue
        where, name = f"{file}:{mechanism.line}", mechanism.name
        if name == "nothing":
            continue
        if name in BUILTIN:
            hint = "rename it: NEURON refuses to load a second mechanism of that name"
            problems.append(Problem(where, f"'{name}' is built into NEURON", hint))
        elif name in found:
            message = f"declares '{name}', as {found[name].file}:{found[name].line} does"
            problems.append(Problem(where, message, "rename or remove one of the two"))
        else:
            found[name] = mechanism
    if problems:
        raise MechanismError(problems)
    return found


def explain(output: str, sources: Mapping[str, Path]) -> list[Problem]:
    """Turns the output of a failed compilation into problems with file and line."""
    problems = []
    hint = "correct this line; nothing was installed"
    for match in _NRN_ERROR.finditer(output):
        text = match["text"].strip().removeprefix("Error:").strip()
        where = f"{sources.get(match['file'], match['file'])}:{match['line']}"
        problems.append(Problem(where, f"nocmodl: {text}", hint))
    files = [match["file"] for match in _NMODL_RUN.finditer(output)]
    for file, match in zip(files, _NMODL_ERROR.finditer(output), strict=False):
        where = f"{sources.get(file, file)}:{match['line']}"
        problems.append(Problem(where, f"nmodl: {match['text']}", hint))
    for match in _CPP_ERROR.finditer(output):
        path = sources.get(match["file"] + ".mod")
        if path is None:
            continue
        line = _source_line(path, match["source"] or "", match["text"])
        message = f"C++ compiler: {match['text']}"
        if line is None:
            line, message = 1, f"{message} (line {match['line']} of the generated C++)"
        problems.append(Problem(f"{path}:{line}", message, "declare the name, or correct the C++"))
    tail = " | ".join(line.strip() for line in output.splitlines()[-8:] if line.strip())
    return list(dict.fromkeys(problems)) or [Problem("nrnivmodl", f"failed: {tail}")]


def _source_line(path: Path, generated: str, message: str) -> int | None:
    """Finds the NMODL line behind a C++ error: the same statement, else the name it quotes."""
    text = path.read_text(encoding="utf-8", errors="replace")
    wanted = re.sub(r"[\s;]", "", generated)
    for number, line in enumerate(text.splitlines(), 1):
        if wanted and re.sub(r"[\s;]", "", line) == wanted:
            return number
    quoted = re.search(rf"[‘'\"]({_NAME})[’'\"]", message)
    lines = strip_comments(text).splitlines()
    pattern = re.compile(rf"\b{quoted[1]}\b") if quoted else None
    return next((n for n, line in enumerate(lines, 1) if pattern and pattern.search(line)), None)
