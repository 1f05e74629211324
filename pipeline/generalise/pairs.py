"""The pairs of morphology and e-model that the composition allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.celltypes import TypeSpec
from pipeline.config.tables import read_csv
from pipeline.config.yaml_lines import nearest
from pipeline.errors import CircuitError, ConfigError, Problem

_NEEDED = ("etype", "emodel", "source")
_OTHER = (*_NEEDED, "stand_in")


@dataclass(frozen=True)
class Choice:
    """One row of the table from e-type to e-model.

    Attributes:
        etype: The e-type.
        emodel: The e-model its cells have.
        stand_in: Why it is that of another e-type; empty for its own.
        labels: What a type's labels must be, too.
    """

    etype: str
    emodel: str
    stand_in: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MeType:
    """One me-type with its e-model.

    Attributes:
        name: Such as ``L5_TTPC1_cADpyr``.
        mtype: Morphological type.
        etype: Electrical type.
        labels: All labels, with layer and classes where there are such.
        emodel: The e-model; empty where the table has none.
        stand_in: As in ``Choice``.
    """

    name: str
    mtype: str
    etype: str
    labels: dict[str, str]
    emodel: str = ""
    stand_in: str = ""


@dataclass(frozen=True, order=True)
class Pair:
    """A morphology under an e-model, whatever me-types share it."""

    morphology: str
    emodel: str


def read_choices(path: Path, emodels: Path, labels: Sequence[str]) -> list[Choice]:
    """Reads the table from e-type to e-model.

    Args:
        path: CSV.
        emodels: Folder of e-models.
        labels: Labels of the types, which may be columns.

    Raises:
        ConfigError: With the line of everything that is wrong.
    """
    table = read_csv(path)
    problems = [
        Problem(f"{path}:1", f"no column {name!r}", f"needed: {', '.join(_NEEDED)}")
        for name in _NEEDED
        if name not in table
    ]
    own = [name for name in table.columns if name not in _OTHER]
    problems += [
        Problem(
            f"{path}:1", f"column {name!r} is no label of the types", nearest(name, list(labels))
        )
        for name in own
        if name not in labels
    ]
    if problems:
        raise ConfigError(problems)
    known = sorted(file.stem for file in emodels.glob("*.yaml"))
    found: dict[tuple[str, ...], Choice] = {}
    for line, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path}:{line}"
        if row["emodel"] not in known:
            message = f"no e-model {row['emodel']!r} in {emodels}"
            problems.append(Problem(where, message, nearest(row["emodel"], known)))
        key = (row["etype"], *(row[name] for name in own))
        if key in found:
            problems.append(Problem(where, f"{row['etype']} stands twice", "drop one row"))
        asked = {name: row[name] for name in own if row[name]}
        found[key] = Choice(row["etype"], row["emodel"], row.get("stand_in", ""), asked)
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def me_types(
    specs: Sequence[TypeSpec], mtype: str, etype: str, choices: list[Choice]
) -> list[MeType]:
    """Gives every me-type its e-model; of several rows the one with most labels counts.

    Args:
        specs: Node types; those of several regions count once.
        mtype: Label of the morphological type.
        etype: Label of the electrical type.
        choices: The table.

    Raises:
        ConfigError: If two rows fit a type equally well.
    """
    found: dict[str, MeType] = {}
    problems = []
    for spec in specs:
        if spec.name in found:
            continue
        labels = spec.labels
        fitting = [
            c
            for c in choices
            if c.etype == labels.get(etype)
            and all(labels.get(name) == value for name, value in c.labels.items())
        ]
        most = max((len(c.labels) for c in fitting), default=0)
        best = [c for c in fitting if len(c.labels) == most]
        if len(best) > 1:
            message = f"{len(best)} rows of the table of e-models fit {spec.name} equally"
            problems.append(Problem(spec.where, message, "make one of them more special"))
        chosen = best[0] if best else Choice("", "", "")
        found[spec.name] = MeType(
            spec.name, labels.get(mtype, ""), labels.get(etype, ""), labels, chosen.emodel,
            chosen.stand_in,
        )  # fmt: skip
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def read_morphologies(path: Path) -> dict[str, list[str]]:
    """Reads m-type to names of morphologies from what the stage ``morphologies`` has made.

    Raises:
        CircuitError: If it has not run.
    """
    if not path.is_file():
        hint = "run 'sonatina morphologies' first"
        raise CircuitError(Problem(str(path), "not built yet", hint))
    table = read_csv(path)
    if missing := [name for name in ("name", "m_type") if name not in table]:
        hint = "run 'sonatina morphologies' again"
        raise CircuitError(Problem(f"{path}:1", f"no column {missing[0]!r}", hint))
    found: dict[str, list[str]] = {}
    for name, mtype in table[["name", "m_type"]].itertuples(index=False):
        found.setdefault(mtype, []).append(name)
    return found


def allowed_pairs(types: Sequence[MeType], morphologies: dict[str, list[str]]) -> list[Pair]:
    """Returns all pairs that some me-type allows, each once.

    The first morphologies of all m-types come first, so that work that ends early has covered most
    me-types; then by name.
    """
    places: dict[Pair, int] = {}
    for kind in types:
        for place, name in enumerate(morphologies.get(kind.mtype, ()) if kind.emodel else ()):
            pair = Pair(name, kind.emodel)
            places[pair] = min(place, places.get(pair, place))
    return sorted(places, key=lambda pair: (places[pair], pair))
