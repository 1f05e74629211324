"""Stage ``generalise``: evaluates what is missing, judges all, writes the tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.stages import mechanism_folders
from pipeline.errors import ConfigError, Problem
from pipeline.generalise.evaluation import (
    LEFT,
    Evaluator,
    Store,
    evaluate_missing,
    pair_keys,
    write_known,
)
from pipeline.generalise.pairs import (
    MeType,
    Pair,
    allowed_pairs,
    me_types,
    read_choices,
    read_morphologies,
)
from pipeline.generalise.verdict import (
    coverage_table,
    pair_table,
    read_unmet,
    score_table,
    unmet_table,
)
from pipeline.nodes.counts import plan_counts
from pipeline.nodes.types import placed_types
from pipeline.runtime import atomic_path, write_json, write_text
from pipeline.simulation.stage import compiled_library
from pipeline.sonata.layout import CircuitPaths

_SUFFIXES = ("swc", "h5", "asc")


@dataclass(frozen=True)
class Composition:
    """Attributes:
    types: The me-types with their e-models.
    names: m-type to names of its morphologies.
    pairs: All pairs that some me-type allows.
    files: File of every morphology of a pair.
    """

    types: list[MeType]
    names: dict[str, list[str]]
    pairs: list[Pair]
    files: dict[str, Path]


@dataclass(frozen=True)
class Tables:
    """Attributes:
    pairs: As ``verdict.pair_table``.
    scores: As ``verdict.score_table``.
    coverage: As ``verdict.coverage_table``.
    unmet: As ``verdict.unmet_table``.
    """

    pairs: pd.DataFrame
    scores: pd.DataFrame
    coverage: pd.DataFrame
    unmet: pd.DataFrame


def read_composition(resolved: Resolved, paths: CircuitPaths) -> Composition:
    """Reads what is to be judged.

    Raises:
        ConfigError: If the table of e-models is wrong or morphology files are missing.
        CircuitError: If the morphologies are not made yet.
    """
    config = resolved.model.generalise
    nodes = resolved.model.nodes[config.nodes]
    specs, voxels = placed_types(resolved, config.nodes)
    if config.types == "placed":
        counts = plan_counts(nodes, specs, voxels)
        specs = [spec for spec, count in zip(specs, counts, strict=True) if count]
    labels = list(dict.fromkeys(name for spec in specs for name in spec.labels))
    choices = read_choices(resolved.path(config.table), resolved.path(config.emodels), labels)
    types = me_types(specs, nodes.morphologies.by, config.etype, choices)
    names = read_morphologies(paths.morphology_table)
    pairs = allowed_pairs(types, names)
    files, problems = {}, []
    for name in dict.fromkeys(pair.morphology for pair in pairs):
        found = [f for s in _SUFFIXES if (f := paths.morphologies / f"{name}.{s}").is_file()]
        if found:
            files[name] = found[0]
        else:
            hint = "run 'sonatina morphologies' again"
            problems.append(Problem(str(paths.morphologies), f"no morphology {name!r}", hint))
    if problems:
        raise ConfigError(problems)
    return Composition(types, names, pairs, files)


def judge_all(
    resolved: Resolved,
    composition: Composition,
    evaluator: Evaluator,
    store: Store,
    workers: int = 1,
    at_most: int | None = None,
) -> tuple[Tables, int]:
    """Judges every pair; only those the store lacks are evaluated, ``at_most`` so many of them.

    Pairs of me-types that nothing covers yet come first, in the order of the shapes.

    Returns:
        The tables, and how many evaluations were made now.
    """  # fmt: skip
    config = resolved.model.generalise
    folder = resolved.path(config.fitted) if config.fitted else None
    unmet = read_unmet(folder, sorted({p.emodel for p in composition.pairs}), config)

    def judged(keys: dict[Pair, str], most: int | None) -> tuple[pd.DataFrame, dict, int]:
        found, made = evaluate_missing(keys, composition.files, evaluator, store, workers, most)
        found = {pair: found[pair] for pair in composition.pairs}
        table = pair_table(composition.types, composition.names, keys, found, config, unmet)
        return table, found, made

    keys = pair_keys(composition.pairs, composition.files, evaluator)
    if at_most:
        keys = uncovered_first(keys, judged(keys, 0)[0])
    pairs, found, made = judged(keys, at_most)
    coverage = coverage_table(composition.types, composition.names, pairs)
    return Tables(pairs, score_table(found, config, unmet), coverage, unmet_table(unmet)), made


def uncovered_first(keys: dict[Pair, str], pairs: pd.DataFrame) -> dict[Pair, str]:
    """Puts the pairs of me-types that nothing covers yet before all others.

    Args:
        keys: Key of every pair.
        pairs: As ``pair_table`` made it of what is known.
    """
    covered = pairs.groupby("me_type")["accepted"].transform("max") == 1
    open_ones = {Pair(*row) for row in pairs.loc[~covered, ["morphology", "emodel"]].to_numpy()}
    return dict(sorted(keys.items(), key=lambda item: item[0] not in open_ones))


def run_part(
    resolved: Resolved,
    paths: CircuitPaths,
    evaluator: Evaluator,
    store: Store,
    part: int,
    parts: int,
    workers: int = 1,
) -> tuple[Path, int]:
    """Evaluates every ``parts``-th missing pair, for a cluster; the tables come later.

    Returns:
        The file that says what was done, and how many evaluations were made now.
    """  # fmt: skip
    composition = read_composition(resolved, paths)
    own = composition.pairs[part::parts]
    keys = pair_keys(own, composition.files, evaluator)
    found, made = evaluate_missing(keys, composition.files, evaluator, store, workers)
    done = {
        f"{pair.morphology} {pair.emodel}": {"key": keys[pair], "reason": found[pair].reason}
        for pair in own
    }
    written = paths.generalise_part(part, parts)
    write_json(written, done)
    return written, made


def run_generalise(
    resolved: Resolved, paths: CircuitPaths, evaluator: Evaluator, store: Store, workers: int = 1,
    save: bool = False, at_most: int | None = None,
) -> dict[str, int]:  # fmt: skip
    """Writes the tables of all pairs.

    Args:
        resolved: The model.
        paths: The circuit.
        evaluator: Runs a pair.
        store: Where evaluations stay.
        workers: Processes.
        save: Whether the model's file of known evaluations is written, too.
        at_most: Evaluations made now; the rest of the pairs are told as left. None: as the model
            says.

    Returns:
        pairs, accepted, me_types, covered, evaluated (made now), left.
    """
    composition = read_composition(resolved, paths)
    at_most = resolved.model.generalise.at_most if at_most is None else at_most
    tables, made = judge_all(resolved, composition, evaluator, store, workers, at_most)
    frames = vars(tables)
    for name, frame in frames.items():
        write_text(paths.generalise(name), table_text(frame))
    _write_database(paths.generalise("generalise").with_suffix(".sqlite"), frames)
    if save:
        keys = pair_keys(composition.pairs, composition.files, evaluator).values()
        found = {key: store.get(key) for key in keys}
        known = {key: one for key, one in found.items() if one is not None}
        write_known(resolved.path(resolved.model.generalise.known), known)
    return {
        "pairs": len(tables.pairs),
        "accepted": int(tables.pairs["accepted"].sum()),
        "me_types": len(tables.coverage),
        "covered": int(tables.coverage["covered"].sum()),
        "evaluated": made,
        "left": int((tables.pairs["reason"] == LEFT).sum()),
    }


def table_text(frame: pd.DataFrame) -> str:
    """Returns the CSV text of a table; nine digits, as float32 attributes carry."""
    return frame.to_csv(index=False, float_format="%.9g", lineterminator="\n")


def _write_database(path: Path, frames: dict[str, pd.DataFrame]) -> None:
    with atomic_path(path) as temporary, closing(sqlite3.connect(temporary)) as connection:
        for name, frame in frames.items():
            frame.to_sql(name, connection, index=False)
        connection.commit()


def evaluator_of(resolved: Resolved, paths: CircuitPaths) -> Evaluator:
    """Returns what runs the protocols of the model's e-models.

    Raises:
        ConfigError: If an e-model has no fit, whose protocols and targets it is judged by.
        CircuitError: If the mechanisms are not compiled.
    """
    from pipeline.generalise.evaluator import fit_evaluator

    types = read_composition(resolved, paths).types
    library = compiled_library(paths, needed=bool(mechanism_folders(resolved)))
    return fit_evaluator(resolved, library, sorted({t.emodel for t in types if t.emodel}))
