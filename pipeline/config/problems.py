"""Turns schema errors into problems with file, line, what was found and the nearest known key."""

from __future__ import annotations

import typing
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pipeline.config.yaml_lines import Document, KeyPath, dotted, nearest
from pipeline.errors import ConfigError, Problem

M = TypeVar("M", bound=BaseModel)
DISCRIMINATORS = ("kind", "rule", "law", "shape")
_HINTS = {
    "int": "write a whole number",
    "float": "write a number without a unit",
    "bool": "write true or false",
    "string_pattern": "use letters, digits, - and _, at most 64, a letter or digit first",
    "string": "write text",
    "dict": "write keys with values",
    "model": "write keys with values",
    "list": "write a list in [ ]",
    "literal": "write one of these",
    "greater": "choose a larger value",
    "less": "choose a smaller value",
    "too_short": "add entries",
    "too_long": "remove entries",
}
_DEFAULT_HINT = "docs/configuration.md lists what fits here"


def schema_problems(
    error: ValidationError, model: type[BaseModel], document: Document
) -> list[Problem]:
    """Lists every schema error with the line of the offending key.

    Args:
        error: What pydantic found.
        model: The model that was validated.
        document: The data with origins.
    """
    problems = []
    for item in error.errors(include_url=False):
        path = _key_path(item["loc"], document.data)
        where, message, hint = _explain(item, path, model, document)
        problems.append(Problem(where, message, hint))
    return sorted(set(problems), key=lambda p: _line_key(p.where))


def read_as(model: type[M], document: Document) -> M:
    """Reads a document by its schema.

    Raises:
        ConfigError: With all problems of the schema, each with its line; then with every ``true`` where
            a number belongs, which pydantic counts as 1.
    """
    try:
        found = model.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(schema_problems(error, model, document)) from None
    problems = [
        Problem(where_is(path, document), f"a number belongs here, found {value}", "write a number")
        for path, value in _counted(document.data, found.model_dump(by_alias=True), ())
    ]
    if problems:
        raise ConfigError(problems)
    return found


def _counted(written: Any, read: Any, path: KeyPath) -> list[tuple[KeyPath, bool]]:
    """Paths of true and false that were read as numbers."""
    if isinstance(written, bool):
        number = isinstance(read, int | float) and not isinstance(read, bool)
        return [(path, written)] if number else []
    if isinstance(written, dict) and isinstance(read, dict):
        pairs = [(key, value, read[key]) for key, value in written.items() if key in read]
    elif isinstance(written, list) and isinstance(read, list | tuple):
        pairs = list(zip(range(len(written)), written, read, strict=False))
    else:
        return []
    return [found for key, old, new in pairs for found in _counted(old, new, (*path, key))]


def where_is(path: KeyPath, document: Document) -> str:
    """Returns ``file:line  dotted.path`` of a key, or of its nearest parent that is written."""
    for end in range(len(path), -1, -1):
        if path[:end] in document.origins:
            return f"{document.origins[path[:end]]}  {dotted(path)}".rstrip()
    return dotted(path)


def _line_key(where: str) -> tuple[str, int]:
    head = where.split("  ")[0]
    file, _, line = head.rpartition(":")
    return (file, int(line)) if line.isdigit() else (head, 0)


def _key_path(loc: tuple[Any, ...], data: Any) -> KeyPath:
    """Drops the union tags that pydantic puts between keys."""
    path: list[Any] = []
    dropped = False  # a value has one tag; a second key of that name is a key
    for key in loc:
        if isinstance(data, dict) and not dropped:
            dropped = key in [data[d] for d in DISCRIMINATORS if d in data]
            if dropped:
                continue
        written = isinstance(data, dict) and key in data  # YAML's merge key is called << here
        if key == "[key]" or (str(key).startswith("<") and not written):
            continue
        dropped = False
        path.append(key)
        if isinstance(data, dict):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            data = None
    return tuple(path)


def _explain(item: Any, path: KeyPath, model: type[BaseModel], document: Document):
    kind, found = item["type"], item.get("input")
    if kind == "missing":
        return where_is(path[:-1], document), f"key {path[-1]!r} is missing", "add it"
    if kind == "extra_forbidden":
        known = known_keys(model, document.data, path[:-1])
        return where_is(path, document), f"unknown key {path[-1]!r}", nearest(str(path[-1]), known)
    where = where_is(path, document)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = item.get("ctx", {}).get("expected_tags", "")
        tag = str(item.get("ctx", {}).get("discriminator", "kind")).strip("'").removesuffix("()")
        given = found.get(tag) if isinstance(found, dict) else found
        if (*path, tag) in document.origins:
            where = where_is((*path, tag), document)
        return where, f"{tag} is {given!r}", f"expected one of {expected}"
    message = item["msg"].removeprefix("Value error, ")
    if kind != "value_error":
        shown = repr(found)
        message = f"{message}, found {shown if len(shown) < 80 else shown[:77] + '...'}"
    hint = next((text for start, text in _HINTS.items() if kind.startswith(start)), _DEFAULT_HINT)
    return where, message, hint


def known_keys(model: type[BaseModel], data: Any, path: KeyPath) -> list[str]:
    """Returns the keys the schema knows at a path; empty where any name is allowed."""
    annotation: Any = model
    for key in path:
        annotation = _step(annotation, key, data)
        data = data.get(key) if isinstance(data, dict) else None
    annotation = _choose(annotation, data)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []


def _step(annotation: Any, key: Any, data: Any) -> Any:
    annotation = _choose(annotation, data)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if key in (name, field.alias):
                return field.annotation
        return None
    if get_origin(annotation) in (dict, list):
        return get_args(annotation)[-1]
    return None


def _choose(annotation: Any, data: Any) -> Any:
    """Picks the member of a union that the data's kind, rule or law names."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = get_args(annotation)
    if get_origin(annotation) not in (dict, list, typing.Literal):
        members = [get_args(m)[0] if get_origin(m) is Annotated else m for m in members]
    if not members or get_origin(annotation) in (dict, list, typing.Literal):
        return annotation
    models = [m for m in members if isinstance(m, type) and issubclass(m, BaseModel)]
    for member in models:
        for tag in DISCRIMINATORS:
            field = member.model_fields.get(tag)
            given = data.get(tag) if isinstance(data, dict) else None
            if field and given in get_args(field.annotation):
                return member
    return models[0] if models else annotation
