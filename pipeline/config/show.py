"""The resolved config as lines a person can read, each with the place it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config.load import Resolved
from pipeline.config.yaml_lines import KeyPath, dotted
from pipeline.errors import ConfigError, Problem


def lines(resolved: Resolved, only: str | None = None) -> list[str]:
    """Formats every value as ``path = value  # file:line (source)``.

    Args:
        resolved: The model.
        only: A dotted path; other values are left out.

    Returns:
        The lines in the order of the schema.

    Raises:
        ConfigError: If nothing lies under ``only``.
    """
    shown = []
    for path, value in leaves(resolved.tree):
        name = dotted(path)
        if only and not (name == only or name.startswith((f"{only}.", f"{only}["))):
            continue
        shown.append(f"{name} = {value!r}  # {origin_text(resolved, path)}")
    if not shown:
        raise ConfigError(Problem(f"--path {only}", "no such key", "see 'sonatina show MODEL'"))
    return shown


def leaves(tree: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yields every value of a tree that holds no others."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from leaves(value, (*path, key))
    elif isinstance(tree, list) and tree:
        for index, value in enumerate(tree):
            yield from leaves(value, (*path, index))
    else:
        yield path, tree


def origin_text(resolved: Resolved, path: KeyPath) -> str:
    """Returns ``file:line``, with source and note of the value, or ``default``."""
    origin = resolved.document.origins.get(path)
    if origin is None:
        return "default"
    details = "; ".join(text for text in (origin.source, origin.note) if text)
    return f"{origin} ({details})" if details else str(origin)
