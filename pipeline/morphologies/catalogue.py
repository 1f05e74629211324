"""The catalogue of a library of reconstructions, and which of its cells may be used."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.morphologies import LICENCE_TAGS, LibraryMorphologies
from pipeline.config.tables import read_rows
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem

SUFFIXES = (".h5", ".swc", ".asc")
_OPEN = ("apache-2.0", "cc by 4.0", "cc-by-4.0", "cc0", "mit", "bsd", "odc-by")
_COPYLEFT = ("lgpl", "gpl", "agpl", "cc by-sa", "cc-by-sa")


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue.

    Attributes:
        name: File name without suffix.
        path: The file.
        m_type: Type of the cell.
        has_axon: Whether the axon is there.
        kind: Quality, such as ``full``; may be empty.
        species: May be empty.
        licence: As written.
        source: Where it comes from.
        where: File and line of the row.
    """

    name: str
    path: Path
    m_type: str
    has_axon: bool
    kind: str
    species: str
    licence: str
    source: str
    where: str


def licence_tag(licence: str) -> str:
    """Sorts a licence by its text: open, copyleft, nc (non-commercial) or unclear.

    Open are licences that ask for no more than attribution (Apache, CC BY, MIT, BSD, CC0).
    """
    text = licence.lower()
    if "-nc" in text or "noncommercial" in text or "non-commercial" in text:
        return "nc"
    if text.startswith(_COPYLEFT):
        return "copyleft"
    return "open" if text.startswith(_OPEN) else "unclear"


def read_catalogue(catalogue: Path, folder: Path) -> list[Entry]:
    """Reads a catalogue.

    Args:
        catalogue: CSV with file or name, m_type and licence; further columns are optional: kind,
            species, source, has_axon or len_axon_um.
        folder: Of the reconstructions.

    Raises:
        ConfigError: With every row that is wrong or names a file that is not there.
    """
    table = read_rows(catalogue)
    named = "file" if "file" in table.columns else "name"
    if missing := [c for c in (named, "m_type", "licence") if c not in table.columns]:
        hint = "needed: file or name, m_type, licence"
        raise ConfigError(Problem(f"{catalogue}:1", f"no column {', '.join(missing)}", hint))
    entries, problems = [], []
    for line, row in enumerate(table.records(), start=2):
        where = f"{catalogue}:{line}"
        path = _file(folder, row[named])
        if not row["m_type"] or not row["licence"]:
            problems.append(
                Problem(where, "m_type or licence is empty", "fill it, or drop the row")
            )
        if "len_axon_um" in row and math.isnan(_length(row)):
            message = f"len_axon_um is {row['len_axon_um']!r}"
            problems.append(Problem(where, message, "write a length in um, or nothing"))
        if path is None:
            message = f"no file {row[named]!r} in {folder}"
            problems.append(Problem(where, message, f"suffixes: {', '.join(SUFFIXES)}"))
            continue
        entries.append(
            Entry(
                path.stem,
                path,
                row["m_type"],
                _has_axon(row),
                row.get("kind", ""),
                row.get("species", ""),
                row["licence"],
                row.get("source", ""),
                where,
            )
        )
    if problems:
        raise ConfigError(problems)
    return entries


def _file(folder: Path, name: str) -> Path | None:
    direct = folder / name
    if direct.suffix.lower() in SUFFIXES:
        return direct if direct.is_file() else None
    return next((p for s in SUFFIXES if (p := folder / f"{name}{s}").is_file()), None)


def _has_axon(row: dict[str, str]) -> bool:
    if "has_axon" in row:
        return row["has_axon"].strip().lower() in ("1", "true", "yes")
    if "len_axon_um" in row:
        return _length(row) > 0 and row.get("kind", "full") == "full"
    return True


def _length(row: dict[str, str]) -> float:
    """Length of the axon, um; NaN where the cell holds no number of 0 or more."""
    try:
        found = float(row["len_axon_um"].strip() or 0)
    except ValueError:
        return math.nan
    return found if 0 <= found < math.inf else math.nan


def usable(entries: list[Entry], library: LibraryMorphologies, where: str) -> list[Entry]:
    """Returns the entries that the filters let through.

    Args:
        entries: The catalogue.
        library: The filters. ``m_types`` is not one of them: donors of other types are needed too.
        where: Place of the config, for messages.

    Raises:
        ConfigError: If a filter names what the catalogue does not have, or nothing is left.
    """
    texts = {entry.licence for entry in entries}
    kinds = {entry.kind for entry in entries}
    problems = [
        Problem(where, f"no licence {name!r} in the catalogue", nearest(name, sorted(texts)))
        for name in library.licences
        if name not in LICENCE_TAGS and name not in texts
    ]
    problems += [
        Problem(
            where, f"no quality {name!r} in the catalogue", f"known: {', '.join(sorted(kinds))}"
        )
        for name in library.quality
        if name not in kinds
    ]
    if problems:
        raise ConfigError(problems)
    allowed = set(library.licences)
    found = [
        entry
        for entry in entries
        if (entry.licence in allowed or licence_tag(entry.licence) in allowed)
        and (not library.quality or entry.kind in library.quality)
    ]
    if not found:
        tags = Counter(licence_tag(entry.licence) for entry in entries)
        counts = ", ".join(f"{count} {tag}" for tag, count in sorted(tags.items()))
        raise ConfigError(
            Problem(where, "the filters leave no morphology", f"in the catalogue: {counts}")
        )
    return found
