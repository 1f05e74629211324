"""Reads a model and its variant chain into one validated tree that knows where each value stood."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config.crosscheck import check_references
from pipeline.config.places import inside, list_models, list_variants
from pipeline.config.problems import DISCRIMINATORS, known_keys, read_as, where_is
from pipeline.config.schema import Model
from pipeline.config.sweeps import expand
from pipeline.config.yaml_lines import Document, KeyPath, Origin, dotted, nearest, read_yaml
from pipeline.errors import ConfigError, Problem

_VARIANT_KEYS = {"extends", "name", "title", "description", "set", "remove"}


@dataclass(frozen=True)
class Resolved:
    """A model with its variant applied.

    Attributes:
        model: The validated model.
        tree: All values with defaults, JSON-like.
        document: The written values with file and line.
        folder: Folder of the base ``model.yaml``; relative paths start here.
        files: Every YAML file that took part, base first.
    """

    model: Model
    tree: dict[str, Any]
    document: Document
    folder: Path
    files: list[Path]

    def path(self, relative: str) -> Path:
        """Returns the absolute path of a file that the config names."""
        return inside(self.folder, relative)

    def origin(self, path: KeyPath) -> str:
        """Returns where the value at a key path was written."""
        return where_is(path, self.document)


def load_model(model: str, variant: str | None = None) -> Resolved:
    """Loads a model by name or path, with a variant by name.

    Args:
        model: A name under ``models/`` or a path to a YAML file (a model or a variant).
        variant: A variant's name; None means the model's default; ``"default"`` the bare model.

    Returns:
        The resolved model.

    Raises:
        ConfigError: With all problems of all files at once, each with file and line.
    """
    path = _find(model)
    named = str(path)
    first = read_yaml(path)
    if variant is None and "extends" not in _mapping(first):
        variant = first.data.get("default_variant")
        named = where_is(("default_variant",), first)
    if variant and variant != "default":
        available = list_variants(path)
        if variant not in available:
            hint = nearest(str(variant), ["default", *available])
            raise ConfigError(Problem(named, f"no variant {variant!r}", hint))
        path = path.parent / "variants" / f"{variant}.yaml"
    chain = _chain(path)
    document = Document(copy.deepcopy(chain[0][1].data), dict(chain[0][1].origins))
    _validate(document)
    for _, layer in chain[1:]:
        _apply(document, layer)
    if len(chain) > 1:
        document.data["variant"] = chain[-1][1].data.get("name", path.stem)
        document.origins[("variant",)] = _origin(chain[-1][1], "name")
    validated = _validate(document)
    if validated.sweeps:
        expand(document, validated.sweeps)
        validated = _validate(document)
    folder = chain[0][0].parent.resolve()
    tree = validated.model_dump(mode="json", by_alias=True)
    resolved = Resolved(validated, tree, document, folder, [p for p, _ in chain])
    problems = check_references(validated, folder, document)
    if problems:
        raise ConfigError(problems)
    return resolved


def _find(model: str) -> Path:
    if model.endswith((".yaml", ".yml")) or "/" in model:
        path = Path(model)
        path = path / "model.yaml" if path.is_dir() else path
        if path.is_file():
            return path.resolve()
        raise ConfigError(Problem(model, "no such model file", "give a model's name or YAML file"))
    models = list_models()
    if model in models:
        return models[model]
    raise ConfigError(Problem(model, "no such model", nearest(model, list(models))))


def _mapping(document: Document) -> dict[str, Any]:
    if isinstance(document.data, dict):
        return document.data
    where = str(document.origins[()])
    raise ConfigError(
        Problem(
            where, "expected keys with values at the top of the file", "see docs/configuration.md"
        )
    )


def _chain(path: Path) -> list[tuple[Path, Document]]:
    """Follows ``extends`` to the base model; returns base first."""
    chain: list[tuple[Path, Document]] = []
    while True:
        document = read_yaml(path)
        if path in [seen for seen, _ in chain]:
            names = " -> ".join(p.name for p in [*(seen for seen, _ in chain), path])
            raise ConfigError(
                Problem(str(path), f"extends goes in a circle: {names}", "name model.yaml")
            )
        chain.append((path, document))
        parent = _mapping(document).get("extends")
        if parent is None:
            return chain[::-1]
        unknown = sorted(set(document.data) - _VARIANT_KEYS)
        problems = [
            Problem(where_is((key,), document), f"unknown key {key!r} in a variant", "use set:")
            for key in unknown
        ]
        target = path.parent / str(parent).replace("\0", "?")
        target = target.resolve()
        if not target.is_file():
            where = where_is(("extends",), document)
            problems.append(Problem(where, f"no such file: {parent!r}", "name model.yaml's path"))
        if problems:
            raise ConfigError(problems)
        path = target


def _validate(document: Document) -> Model:
    _mapping(document)
    return read_as(Model, document)


def _split(text: str) -> KeyPath:
    parts: list[str | int] = []
    for piece in str(text).split("."):
        name, *indices = re.split(r"\[(\d+)\]", piece)
        parts.append(name)
        parts += [int(i) for i in indices if i.isdigit()]
    return tuple(parts)


def _apply(document: Document, layer: Document) -> None:
    """Applies one variant: ``remove`` first, then ``set``; all problems at once."""
    problems: list[Problem] = []
    defaults = Model.model_validate(document.data).model_dump(mode="json", by_alias=True)
    removals, changes = layer.data.get("remove") or [], layer.data.get("set") or {}
    if not isinstance(removals, list):
        message = f"remove is {removals!r}"
        raise ConfigError(
            Problem(where_is(("remove",), layer), message, "list dotted paths in [ ]")
        )
    if not isinstance(changes, dict):
        message = "set must map paths to values"
        raise ConfigError(Problem(where_is(("set",), layer), message, "write a.dotted.path: value"))
    for index, text in enumerate(removals):
        path = _split(text)
        parent = _lookup(document.data, path[:-1])
        if not isinstance(parent, dict) or path[-1] not in parent:
            where = where_is(("remove", index), layer)
            problems.append(_missing(where, path, document, defaults))
            continue
        del parent[path[-1]]
        for key in [k for k in document.origins if k[: len(path)] == path]:
            del document.origins[key]
    for text, value in changes.items():
        path, where = _split(text), where_is(("set", text), layer)
        if _lookup(document.data, path) is _NOTHING and _lookup(defaults, path) is _NOTHING:
            problems.append(_missing(where, path, document, defaults))
            continue
        problem = _assign(document, path, value, where)
        if problem:
            problems.append(problem)
            continue
        for key, origin in layer.origins.items():
            if key[:2] == ("set", text):
                document.origins[(*path, *key[2:])] = origin
    for key in ("title", "description"):
        if key in layer.data:
            document.data[key] = layer.data[key]
            document.origins[(key,)] = layer.origins[(key,)]
    if problems:
        raise ConfigError(problems)


def _origin(document: Document, key: str) -> Origin:
    return document.origins.get((key,), document.origins[()])


_NOTHING = object()


def _lookup(data: Any, path: KeyPath) -> Any:
    for key in path:
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return _NOTHING
    return data


def _missing(where: str, path: KeyPath, document: Document, defaults: Any) -> Problem:
    """Says which part of a path is wrong and what was probably meant."""
    for end in range(1, len(path) + 1):
        if _lookup(defaults, path[:end]) is _NOTHING:
            parent = _lookup(defaults, path[: end - 1])
            known = list(parent) if isinstance(parent, dict) else []
            known += known_keys(Model, document.data, path[: end - 1])
            hint = nearest(str(path[end - 1]), sorted(set(known)))
            hint = hint or "'sonatina show MODEL' lists all keys"
            return Problem(where, f"no key {dotted(path[:end])!r} in the model", hint)
    return Problem(where, f"{dotted(path)!r} is not written in the model", "nothing to remove")


def _assign(document: Document, path: KeyPath, value: Any, where: str) -> Problem | None:
    holder = document.data
    for key in path[:-1]:
        if isinstance(holder, dict) and not isinstance(holder.get(key), dict | list):
            holder[key] = {}
        holder = holder[key]
    old = holder[path[-1]] if isinstance(holder, list) else holder.get(path[-1])
    shapes = {dict: "a map", list: "a list"}
    if old is not None and value is not None:
        before, after = shapes.get(type(old), "a value"), shapes.get(type(value), "a value")
        if before != after:
            written = where_is(path, document)
            return Problem(where, f"{after} cannot replace {before}", f"first written at {written}")
    holder[path[-1]] = _merge(old, value)
    return None


def _merge(old: Any, new: Any) -> Any:
    """Maps merge by key; lists and scalars are replaced; another kind replaces the whole map."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    if any(tag in new and new[tag] != old.get(tag) for tag in DISCRIMINATORS):
        return new
    return old | {key: _merge(old.get(key), value) for key, value in new.items()}
