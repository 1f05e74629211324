"""YAML that remembers where each value stood; safe, bounded, and without surprises."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError, Problem

MAX_NODES = 200_000
MAX_BYTES = 8 * 1024 * 1024
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)")
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in "map seq str int float bool null timestamp merge value".split()
)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, ten times as fast, which also ends at a depth of 1000; the plain one where it is not built in."""
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Origin:
    """Where a value comes from: file, line (from 1) and, for annotated numbers, its source."""

    file: str
    line: int
    source: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass
class Document:
    """A YAML file as plain data plus the origin of every key path.

    Attributes:
        data: Dicts, lists and scalars; annotated numbers are reduced to their value.
        origins: Key path to origin; the empty path is the file's first line.
    """

    data: Any
    origins: dict[KeyPath, Origin] = field(default_factory=dict)


def dotted(path: KeyPath) -> str:
    """Writes a key path as users do: ``edges.rules[2].probability``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def nearest(word: str, known: list[str]) -> str:
    """Returns ``did you mean 'x'?`` for the closest known word, or the list of known ones."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(sorted(known)[:12]) if known else ""


class _Reader:
    """Walks one composed YAML tree; counts nodes so that alias bombs end early."""

    def __init__(self, file: Path):
        self.file = str(file)
        self.origins: dict[KeyPath, Origin] = {}
        self.problems: list[Problem] = []
        self.count = 0
        self.loader = yaml.SafeLoader("")

    def walk(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        if self.count > MAX_NODES or len(path) > 60:
            problem = Problem(
                self._where(node), "the file unfolds to too many values", "no alias bombs, please"
            )
            raise ConfigError(problem)
        self.origins[path] = Origin(self.file, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            message = f"tag {node.tag!r} is not allowed"
            self.problems.append(Problem(self._where(node), message, "write plain values"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.walk(child, (*path, i)) for i, child in enumerate(node.value)]
        return self._scalar(node)

    def _where(self, node: yaml.Node) -> str:
        return f"{self.file}:{node.start_mark.line + 1}"

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> Any:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(
                    Problem(self._where(key_node), "a key must be a plain word", "write plain keys")
                )
                continue
            key = str(key_node.value)
            if key in result:
                self.problems.append(
                    Problem(self._where(key_node), f"key {key!r} stands twice", "remove one")
                )
            result[key] = self.walk(value_node, (*path, key))
            origin = self.origins[(*path, key)]
            self.origins[(*path, key)] = Origin(
                self.file, key_node.start_mark.line + 1, origin.source, origin.note
            )
        if "value" in result and set(result) <= {"value", "source", "note"}:
            origin = Origin(
                self.file,
                node.start_mark.line + 1,
                str(result.get("source", "")),
                str(result.get("note", "")),
            )
            for key in result:
                self.origins.pop((*path, key), None)
            self.origins[path] = origin
            return result["value"]
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        # YAML 1.1 reads 1e-5 as text; scientists do not.
        if node.tag == "tag:yaml.org,2002:str" and not node.style:
            if _FLOAT.fullmatch(node.value):
                return float(node.value)
            return node.value
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        try:
            return self.loader.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            self.problems.append(
                Problem(self._where(node), f"not plain YAML: {_short(error)}", "write plain values")
            )
            return None


def _short(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]


def read_yaml(path: str | Path) -> Document:
    """Reads one YAML file with the line of every key.

    Args:
        path: The file; UTF-8, at most 8 MiB.

    Returns:
        The document. ``{value: 3, source: "fig. 2"}`` becomes ``3`` with its source in the origin.

    Raises:
        ConfigError: If the file is missing, no YAML, doubled in keys, or uses tags beyond plain data.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            Problem(str(path), f"cannot read: {error.strerror}", "check the path")
        ) from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(Problem(str(path), "larger than 8 MiB", "keep numbers in tables"))
    try:
        node = yaml.compose(raw.decode("utf-8"), Loader=_LOADER)
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
        raise ConfigError(Problem(str(path), message, "save it as UTF-8")) from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(
            Problem(where, f"not valid YAML: {_short(error)}", "correct it here, or just above")
        ) from None
    reader = _Reader(path)
    if node is None:
        raise ConfigError(Problem(str(path), "the file is empty", "write keys with values"))
    data = reader.walk(node, ())
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(data, reader.origins)
