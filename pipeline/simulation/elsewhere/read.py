"""Reads a SONATA simulation config made elsewhere, with every path made absolute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import CircuitError, Problem
from pipeline.simulation.elsewhere.keys import wrong_numbers
from pipeline.sonata.circuit import load_json

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
ALLEN, BBP = "Allen", "BBP"
DEFAULT_CIRCUIT = "circuit_config.json"
"""What stands beside a simulation config that names no circuit, as SONATA's extension has it."""
PARTS = {"network": "circuit", "simulation": "simulation"}


@dataclass(frozen=True)
class Elsewhere:
    """A simulation config made elsewhere.

    Attributes:
        path: The file.
        config: Its content, the circuit's config merged in, manifest variables replaced; paths that
            start with a dot are absolute, counted from the file that holds them.
        dialect: ``ALLEN`` (node types tables, input modules such as IClamp) or ``BBP`` (attributes in
            the nodes, hoc templates).
    """

    path: Path
    config: dict[str, Any]
    dialect: str

    @property
    def simulator(self) -> str:
        """The ``target_simulator``, NEURON unless it is named."""
        return str(self.config.get("target_simulator", "NEURON"))

    @property
    def output_dir(self) -> Path:
        """Where the config wants its output, absolute."""
        return self.path.parent / str(self.config.get("output", {}).get("output_dir", "output"))


def read_elsewhere(path: str | Path) -> Elsewhere:
    """Reads a config.

    Raises:
        CircuitError: If a file is missing or no JSON, or the config lacks a time to stop.
    """
    path = Path(path).resolve()
    config = _read(path, ())
    run = config.get("run")
    if not isinstance(run, dict) or not ("tstop" in run or "duration" in run):
        message = "has no run.tstop: this is no simulation config"
        raise CircuitError(Problem(str(path), message, "a circuit is checked by 'sonatina check'"))
    if "networks" not in config and (beside := path.parent / DEFAULT_CIRCUIT).is_file():
        config = _read(beside, (path,)) | config
    if not isinstance(config.get("networks"), dict):
        message = "names no circuit (keys network, or networks in place)"
        raise CircuitError(Problem(str(path), message, "add network: the path of a circuit config"))
    problems = _shapes(path, config)
    if problems:
        raise CircuitError(problems)
    named = any(entry.get("node_types_file") for entry in config["networks"].get("nodes", []))
    return Elsewhere(path, config, ALLEN if named else BBP)


def _shapes(path: Path, config: dict[str, Any]) -> list[Problem]:
    """Sections that are no objects, values that are no numbers, and networks that are no lists."""
    problems: list[Problem] = []
    for key in ("run", "conditions", "output", "components"):
        problems += wrong_numbers(str(path), key, config.get(key, {}))
    for key in ("inputs", "reports"):
        section = config.get(key, {})
        if not isinstance(section, dict):
            problems += wrong_numbers(str(path), key, section)
            continue
        for name, entry in section.items():
            problems += wrong_numbers(str(path), f"{key}.{name}", entry)
    conditions = config.get("conditions", {})
    changes = conditions.get("modifications", []) if isinstance(conditions, dict) else []
    for key, section in (
        ("connection_overrides", config.get("connection_overrides", [])),
        ("conditions.modifications", changes),
    ):
        entries = list(section.values()) if isinstance(section, dict) else section
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            problems.append(Problem(f"{path}  {key}", f"is {section!r:.60}", "list objects"))
    for kind in ("nodes", "edges"):
        entries = config["networks"].get(kind, [])
        good = isinstance(entries, list) and all(isinstance(e, dict) for e in entries)
        files = (
            [e.get(f"{k}_file") for e in entries for k in (kind, f"{kind[:-1]}_types")]
            if good
            else []
        )
        if not good or not all(isinstance(file, str | None) for file in files):
            hint = f"list objects with {kind}_file"
            problems.append(Problem(f"{path}  networks.{kind}", f"is {entries!r:.60}", hint))
    return problems


def _read(path: Path, above: tuple[Path, ...]) -> dict[str, Any]:
    config, problems = load_json(path)
    if not problems and not isinstance(config, dict):
        problems = [Problem(str(path), "is no JSON object", "this is no simulation config")]
    if path in above:
        problems = [Problem(str(path), "names itself", "break the circle of configs")]
    if problems:
        raise CircuitError(problems)
    variables = _manifest(path, config.pop("manifest", {}))
    config = _replace(config, variables, path.parent)
    for key in PARTS:
        child = config.pop(key, None)
        if isinstance(child, str):
            found = _read(path.parent / child, (*above, path))
            config = config | {name: found[name] for name in found if name not in config}
        elif isinstance(child, dict):
            config = config | child
    return config


def _manifest(path: Path, manifest: dict[str, Any]) -> dict[str, str]:
    """Variables by name; they may name each other in any order."""
    if not isinstance(manifest, dict):
        message = f"is {manifest!r:.60}"
        raise CircuitError(Problem(f"{path}  manifest", message, "write an object"))
    found = {"configdir": str(path.parent), "configfname": str(path), "workingdir": str(Path.cwd())}
    waiting = {name.lstrip("$"): str(value) for name, value in manifest.items()}
    while waiting:
        ready = {
            name: value
            for name, value in waiting.items()
            if not any(other in waiting for other in _VARIABLE.findall(value))
        }
        if not ready:
            names = ", ".join(sorted(waiting))
            hint = "let none of them name itself, by way of the others"
            raise CircuitError(Problem(f"{path}  manifest", f"{names} name each other", hint))
        for name, value in ready.items():
            found[name] = _absolute(_fill(value, found), path.parent)
            del waiting[name]
    return found


def _fill(text: str, variables: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda m: variables.get(m[1], m[0]), text)


def _absolute(text: str, folder: Path) -> str:
    return str((folder / text).resolve()) if text == "." or text.startswith(("./", "../")) else text


def _replace(value: Any, variables: dict[str, str], folder: Path) -> Any:
    if isinstance(value, str):
        return _absolute(_fill(value, variables), folder)
    if isinstance(value, list):
        return [_replace(entry, variables, folder) for entry in value]
    if isinstance(value, dict):
        return {key: _replace(entry, variables, folder) for key, entry in value.items()}
    return value
