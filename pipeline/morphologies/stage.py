"""Stage ``morphologies``: canonical SWC files, their catalogue, findings and morphometrics."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

from pipeline.config.load import Resolved
from pipeline.config.morphologies import GrownMorphologies, LibraryMorphologies
from pipeline.errors import ConfigError, Problem
from pipeline.morphologies import measure
from pipeline.morphologies.catalogue import Entry, read_catalogue, usable
from pipeline.morphologies.exemplars import Exemplar, Origin, read_exemplars, soma_depth
from pipeline.morphologies.grow import read_distributions, require_neurots
from pipeline.morphologies.kept import code_key, make_kept
from pipeline.morphologies.make import CATALOGUE, Donor, Task
from pipeline.morphologies.repair import Finding, read_shape
from pipeline.morphologies.shape import Shape
from pipeline.runtime import make_folder, write_text
from pipeline.sonata.layout import CircuitPaths
from pipeline.worker import map_in_order

FINDINGS = ("name", "check", "place", "found", "action")


def run_morphologies(
    resolved: Resolved, paths: CircuitPaths, workers: int = 1, placed: Sequence[str] = (),
    cache: Path | None = None,
) -> int:  # fmt: skip
    """Writes ``components/morphologies``, ``components/morphologies.csv`` and the tables beside.

    Args:
        resolved: The model; has the key ``morphologies``.
        paths: The circuit.
        workers: Processes; results do not depend on it.
        placed: M-types of which the circuit has cells, for ``m_types: placed``.
        cache: Folder of grown exemplars; None keeps none.

    Returns:
        Number of exemplars.

    Raises:
        ConfigError: If tables, filters or donors do not fit.
        MorphologyError: If a reconstruction cannot be used.
        ToolError: If cells are to be grown and NeuroTS is missing.
    """
    tasks, findings = plan_tasks(resolved, workers, placed)
    folder = make_folder(paths.morphologies)
    one = partial(make_kept, folder=cache, code=code_key() if cache else "")
    made = map_in_order(one, tasks, workers, "morphologies", _branches)
    for cell in made:
        write_text(folder / f"{cell.name}.swc", cell.text)
    wanted = {f"{cell.name}.swc" for cell in made}
    for path in folder.glob("*.swc"):
        if path.name not in wanted:
            path.unlink()
    found = [*findings, *((cell.name, *astuple(f)) for cell in made for f in cell.findings)]
    rows = (dict(zip(FINDINGS, row, strict=True)) for row in found)
    _write(paths.analysis("morphology_findings"), FINDINGS, rows)
    columns = ("m_type", "name", *measure.COLUMNS)
    _write(
        paths.analysis("morphometrics"), columns, (row for cell in made for row in cell.measured)
    )
    columns = ("m_type", "name", *measure.LAYER_COLUMNS)
    rows = (row for cell in made for row in cell.layers)
    _write(paths.analysis("morphology_layers"), columns, rows)
    _write(paths.morphology_table, CATALOGUE, (cell.row for cell in made))
    return len(made)


def plan_tasks(
    resolved: Resolved, workers: int = 1, placed: Sequence[str] = ()
) -> tuple[list[Task], list[tuple[str, str, str, str, str]]]:
    """Returns what is to be made, and what was found in the reconstructions that are used."""
    config = resolved.model.morphologies
    if isinstance(config, GrownMorphologies):
        require_neurots()
        return grown_tasks(resolved, placed), []
    return _library_tasks(resolved, config, workers, placed)


def grown_tasks(resolved: Resolved, placed: Sequence[str] = ()) -> list[Task]:
    """Returns what is to be grown; NeuroTS need not be there.

    Raises:
        ConfigError: If tables or distributions are wrong.
    """
    config = resolved.model.morphologies
    table = read_exemplars(resolved.path(config.exemplars), config.layers)
    table = _chosen_rows(resolved, table, placed)
    return _tasks(resolved, table, _grown_donors(resolved.path(config.distributions), table))


def check_morphologies(resolved: Resolved, placed: Sequence[str] = ()) -> int:
    """Reads tables, distributions and catalogue as the stage would; opens no reconstruction.

    Returns:
        Number of exemplars, at most.

    Raises:
        ConfigError: With what is wrong.
    """
    config = resolved.model.morphologies
    if isinstance(config, GrownMorphologies):
        return len(grown_tasks(resolved, placed))
    entries = _usable_entries(resolved, config)
    rows = _chosen_rows(resolved, _library_rows(resolved, config, entries), placed)
    _first_cells(entries, rows, 1)
    return config.count * len(rows)


def _usable_entries(resolved: Resolved, config: LibraryMorphologies) -> list[Entry]:
    entries = read_catalogue(resolved.path(config.catalogue), resolved.path(config.folder))
    return usable(entries, config, resolved.origin(("morphologies", "licences")))


def _chosen_rows(
    resolved: Resolved, table: dict[str, Exemplar], placed: Sequence[str]
) -> dict[str, Exemplar]:
    wanted = resolved.model.morphologies.m_types
    wanted = placed if wanted == "placed" else wanted
    if unknown := [name for name in wanted if name not in table]:
        where = resolved.origin(("morphologies", "m_types"))
        hint = f"known: {', '.join(table)}"
        raise ConfigError(Problem(where, f"no exemplar for {', '.join(unknown)}", hint))
    return {name: row for name, row in table.items() if not wanted or name in wanted}


def _grown_donors(folder: Path, table: dict[str, Exemplar]) -> dict[str, list[Donor]]:
    types = {origin.m_type for row in table.values() for origin in (row.dendrites, row.axon)}
    return {
        m_type: [
            Donor(m_type, cell["name"], cell.get("source", ""), cell.get("licence", ""), cell)
            for cell in read_distributions(folder / f"{m_type}.json")
        ]
        for m_type in sorted(types)
    }


def _library_tasks(
    resolved: Resolved, config: LibraryMorphologies, workers: int, placed: Sequence[str]
) -> tuple[list[Task], list[tuple[str, str, str, str, str]]]:
    entries = _usable_entries(resolved, config)
    rows = _chosen_rows(resolved, _library_rows(resolved, config, entries), placed)
    used = _first_cells(entries, rows, config.count)
    findings: list[tuple[str, str, str, str, str]] = []
    donors: dict[str, list[Donor]] = {entry.m_type: [] for entry in used}
    read = map_in_order(_read_entry, used, workers, "check morphologies")
    for entry, (shape, found) in zip(used, read, strict=True):
        findings += [(entry.name, *astuple(finding)) for finding in found]
        rejected = sorted({finding.check for finding in found} & set(config.reject))
        if rejected:
            findings.append((entry.name, "rejected", "", ", ".join(rejected), "left out"))
        else:
            donors[entry.m_type].append(
                Donor(entry.m_type, entry.name, entry.source, entry.licence, shape)
            )
    return _tasks(resolved, rows, donors), findings


def _library_rows(
    resolved: Resolved, config: LibraryMorphologies, entries: Sequence[Entry]
) -> dict[str, Exemplar]:
    """Rows for the types of the library, and for those that the table lends cells to."""
    whole = {entry.m_type for entry in entries if entry.has_axon}
    own = {name: Exemplar(name, Origin(name), Origin(name)) for name in sorted(whole)}
    if config.exemplars is None:
        return own
    table = read_exemplars(resolved.path(config.exemplars), config.layers)
    dendrites = {entry.m_type for entry in entries} - whole
    lent = {
        name: replace(row, dendrites=Origin(name)) if name in dendrites else row
        for name, row in table.items()
    }
    return {name: own.get(name, row) for name, row in lent.items()}


def _first_cells(entries: Sequence[Entry], rows: dict[str, Exemplar], count: int) -> list[Entry]:
    """The cells that are read: of every origin the first in the catalogue, as many as are wanted."""
    used: dict[str, Entry] = {}
    for row in rows.values():
        for origin, whole in ((row.dendrites, False), (row.axon, True)):
            of_type = [
                e for e in entries if e.m_type == origin.m_type and (e.has_axon or not whole)
            ]
            names = [entry.name for entry in of_type]
            used |= {names[i]: of_type[i] for i in origin.chosen(names)[:count]}
    return list(used.values())


def _read_entry(entry: Entry) -> tuple[Shape, list[Finding]]:
    return read_shape(entry.path)


def _tasks(
    resolved: Resolved, rows: dict[str, Exemplar], donors: dict[str, list[Donor]]
) -> list[Task]:
    """One task per exemplar.

    Raises:
        ConfigError: If a row asks for a donor that is not there.
    """
    tasks, problems = [], []
    for row in rows.values():
        given = []
        for part, origin in (("dendrite_from", row.dendrites), ("axon_from", row.axon)):
            cells = donors.get(origin.m_type, [])
            chosen = [cells[i] for i in origin.chosen([cell.name for cell in cells])]
            if not chosen:
                message = f"{part} of {row.m_type}: no cell of {origin.m_type}"
                hint = "choose another donor, or loosen the filters"
                if origin.cells:
                    message += f" named {' or '.join(origin.cells)}"
                problems.append(Problem(resolved.origin(("morphologies",)), message, hint))
            given.append(chosen)
        if all(given):
            tasks += _tasks_of(resolved, row, *given)
    if problems:
        raise ConfigError(problems)
    return tasks


def _tasks_of(
    resolved: Resolved, row: Exemplar, dendrites: list[Donor], axons: list[Donor]
) -> list[Task]:
    config = resolved.model.morphologies
    grown = isinstance(config, GrownMorphologies)
    count = config.count if grown else min(config.count, max(len(dendrites), len(axons)))
    depths = [
        soma_depth(row.layer, config.layers, i, count) if row.layer in config.layers else None
        for i in range(count)
    ]
    return [
        Task(
            f"{row.m_type}_{i + 1}",
            i,
            row,
            dendrites[i % len(dendrites)],
            axons[i % len(axons)],
            depths[i],
            dict(config.layers),
            config.simplify,
            resolved.model.seed,
            config.tries if grown else 0,
            config.redraws if grown else 0,
        )
        for i in range(count)
    ]


def _branches(task: Task) -> float:
    """Branches of the trees that an exemplar is grown from: what its growing takes."""
    bodies = [donor.body for donor in (task.dendrites, task.axon) if donor]
    return sum(len(t["bars"]) for body in bodies if isinstance(body, dict) for t in body["trees"])


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[dict[str, object]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
