"""Finds the files of a circuit from its config, in the BBP and the Allen dialect."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import Problem

_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Source:
    """One nodes or edges file that a config names.

    Attributes:
        kind: ``"nodes"`` or ``"edges"``.
        where: The place in the config, for messages.
        file: The HDF5 file.
        types: The types table, None when the config names none.
        populations: Population to properties; None means all populations of the file.
    """

    kind: str
    where: str
    file: Path
    types: Path | None
    populations: Mapping[str, Mapping] | None


@dataclass(frozen=True)
class Circuit:
    """A config with all paths resolved."""

    path: Path
    sources: list[Source] = field(default_factory=list)
    components: dict[str, object] = field(default_factory=dict)
    node_sets: Path | None = None


def load_json(path: Path) -> tuple[object, list[Problem]]:
    """Returns the JSON value of a file, or None and one problem."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number), []
    except OSError as error:
        return None, [Problem(str(path), f"cannot be read ({error.strerror})", "check the path")]
    except (ValueError, RecursionError) as error:
        return None, [Problem(str(path), f"is not JSON ({error})", "repair or rewrite the file")]


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def load_circuit(path: str | Path) -> tuple[Circuit | None, list[Problem]]:
    """Reads a circuit config, or a simulation config that points to one.

    Args:
        path: JSON file in either dialect: ``networks`` in place, or the keys ``network`` or
            ``circuit`` holding the circuit or the path of its config.

    Returns:
        The circuit, None when there is nothing to look at, and all problems met.
    """
    return _load(Path(path), seen=())


def _load(path: Path, seen: tuple[Path, ...]) -> tuple[Circuit | None, list[Problem]]:
    config, problems = load_json(path)
    if problems:
        return None, problems
    if not isinstance(config, dict):
        message = f"holds a {type(config).__name__}; expected a JSON object"
        return None, [Problem(str(path), message, "this is no circuit config")]
    names = ("manifest", "network", "circuit", "networks", "components", "node_sets_file")
    config = {name: config[name] for name in names if config.get(name)}
    config, problems = _resolve(config, path)
    child = config.get("network", config.get("circuit"))
    if isinstance(child, dict):
        config = {**config, **(child if "networks" in child else {"networks": child})}
    elif isinstance(child, str) and "networks" not in config:
        target = path.parent / child
        if target.resolve() in (*seen, path.resolve()):
            return None, [
                Problem(f"{path}: network", f"{child} leads back to itself", "break the circle")
            ]
        circuit, found = _load(target, (*seen, path.resolve()))
        return circuit, problems + found
    networks = config.get("networks")
    if not isinstance(networks, dict):
        message = "found no networks object; expected networks with nodes and edges"
        return None, [*problems, Problem(str(path), message, "point to a circuit config")]
    components, node_sets = config.get("components"), config.get("node_sets_file")
    circuit = Circuit(
        path,
        components=components if isinstance(components, dict) else {},
        node_sets=path.parent / node_sets if isinstance(node_sets, str) else None,
    )
    for kind in ("nodes", "edges"):
        entries = networks.get(kind) or []
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            source = _source(circuit, kind, number, entry)
            (circuit.sources if isinstance(source, Source) else problems).append(source)
    return circuit, problems


def _source(circuit: Circuit, kind: str, number: int, entry: object) -> Source | Problem:
    """Returns one entry of ``networks`` as a Source, or what is wrong with it."""
    where = f"{circuit.path}: networks.{kind}[{number}]"
    folder = circuit.path.parent
    file = entry.get(f"{kind}_file") if isinstance(entry, dict) else None
    if not isinstance(file, str):
        return Problem(where, f"has no {kind}_file", f"name the HDF5 file under {kind}_file")
    types = entry.get(f"{kind[:-1]}_types_file")
    populations = entry.get("populations")
    if populations is not None and not (
        isinstance(populations, dict)
        and all(isinstance(value or {}, dict) for value in populations.values())
    ):
        return Problem(f"{where}.populations", "is no object of population names to properties")
    named = {name: value or {} for name, value in populations.items()} if populations else None
    return Source(
        kind, where, folder / file, folder / types if isinstance(types, str) else None, named
    )


def _resolve(config: dict, path: Path) -> tuple[dict, list[Problem]]:
    """Replaces ``$NAME`` and ``${NAME}`` by the manifest's values, relative to the config."""
    now = datetime.datetime.now()
    variables = {
        "configdir": str(path.parent.absolute()),
        "configfname": str(path),
        "workingdir": str(Path.cwd()),
        **dict(zip(("date", "time", "datetime"), (str(now.date()), str(now.time()), str(now)),
                   strict=True)),
    }  # fmt: skip
    manifest = config.pop("manifest", {})
    manifest = manifest if isinstance(manifest, dict) else {}
    texts = {key.strip("${}"): str(value) for key, value in manifest.items()}
    # A variable may use others: each round resolves at least one, or the rest is circular.
    for _ in range(len(texts)):
        for name in list(texts):
            if not (set(_VARIABLE.findall(texts[name])) & (set(texts) - set(variables))):
                variables[name] = _VARIABLE.sub(
                    lambda match: variables.get(match[1], match[0]), texts.pop(name)
                )
    undefined: dict[str, str] = {}

    def replace(value: object, where: str) -> object:
        if isinstance(value, dict):
            return {key: replace(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item, f"{where}[{i}]") for i, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        text = _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), value)
        for name in _VARIABLE.findall(text):
            undefined.setdefault(name, where.lstrip("."))
        return text

    resolved = {key: replace(value, f".{key}") for key, value in config.items()}
    problems = [
        Problem(f"{path}: {where}", f"variable ${name} is not in the manifest", "define it there")
        for name, where in undefined.items()
    ]
    return resolved, problems
