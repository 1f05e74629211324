"""Where models, mechanism sets and the files a config names are found."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import ConfigError, Problem


def project_roots() -> list[Path]:
    """Returns the folders that may hold ``models/`` and ``mechanisms/``: here, then the checkout."""
    roots = [Path.cwd(), Path(__file__).resolve().parents[2]]
    return list(dict.fromkeys(root.resolve() for root in roots))


def list_models() -> dict[str, Path]:
    """Returns model name to ``model.yaml`` for every model below the project roots."""
    found: dict[str, Path] = {}
    for root in project_roots():
        for path in sorted((root / "models").glob("*/model.yaml")):
            found.setdefault(path.parent.name, path)
    return found


def list_variants(model_file: Path) -> list[str]:
    """Returns the names of the variants beside a model file."""
    return sorted(path.stem for path in (model_file.parent / "variants").glob("*.yaml"))


def engine_names() -> list[str]:
    """Returns the names of the engines: those of the modules in ``pipeline/simulation/engines``."""
    folder = Path(__file__).resolve().parents[1] / "simulation" / "engines"
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def inside(folder: Path, relative: str) -> Path:
    """Resolves a path of the config; relative ones may not leave the model's folder.

    Raises:
        ConfigError: If a relative path climbs out of the folder, or holds a null byte.
    """
    if "\0" in relative:
        message = f"path {relative!r} holds a null byte"
        raise ConfigError(Problem(str(folder), message, "write a plain path"))
    path = Path(relative).expanduser()
    if path.is_absolute():
        return path
    resolved = (folder / path).resolve()
    if not resolved.is_relative_to(folder.resolve()):
        message = f"path {relative!r} leaves the model's folder"
        raise ConfigError(Problem(str(folder), message, "give an absolute path or move the file"))
    return resolved
