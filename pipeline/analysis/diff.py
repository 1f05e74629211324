"""``sonatina diff``: what two circuits have in common and where they first differ."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from pipeline.analysis.diff_edges import Side, compare_edges, ks_of_counts
from pipeline.errors import CircuitError, Problem
from pipeline.sonata import layout
from pipeline.sonata.circuit import Source, load_circuit
from pipeline.sonata.read import column, open_population, read_nodes, read_types

_LABELS = ("pop_name", "model_name", "model_template")
_AXES = ["x", "y", "z"]
Files = dict[tuple[str, str], Source]


def find_populations(path: Path) -> Files:
    """Finds the files of a circuit.

    Args:
        path: Circuit or simulation config, or a folder with ``circuit_config.json`` or with files
            ``*.nodes.h5`` and ``*.edges.h5``, directly or under ``network``.

    Returns:
        (nodes or edges, population) to its file.

    Raises:
        CircuitError: If there is no circuit, or a config or file cannot be read.
    """
    if path.is_dir() and (path / "circuit_config.json").is_file():
        path = path / "circuit_config.json"
    if path.is_dir():
        sources = _sources_in(path)
    else:
        circuit, problems = load_circuit(path)
        if circuit is None or problems:
            raise CircuitError(problems or [Problem(str(path), "is no circuit")])
        sources = circuit.sources
    found: Files = {}
    for source in sources:
        for name in source.populations or _names(source):
            found[source.kind, name] = source
    return found


def _sources_in(folder: Path) -> list[Source]:
    sources = []
    for kind in ("nodes", "edges"):
        for place in (folder, folder / "network"):
            for file in sorted(place.glob(f"*.{kind}.h5")):
                types = file.with_name(file.name.replace(f".{kind}.h5", f".{kind[:-1]}_types.csv"))
                types = types if types.is_file() else None
                sources.append(Source(kind, str(file), file, types, None))
    if not sources:
        hint = "give a folder with circuit_config.json, or a circuit config"
        raise CircuitError(Problem(str(folder), "holds no circuit", hint))
    return sources


def _names(source: Source) -> list[str]:
    try:
        with h5py.File(source.file, "r") as handle:
            return sorted(handle.get(source.kind, {}))
    except (OSError, RuntimeError) as error:
        raise CircuitError(
            Problem(str(source.file), f"cannot be opened ({error})", "write it anew")
        ) from None


def compare_circuits(first: Path, second: Path, most: int = 5) -> dict[str, object]:
    """Compares two circuits population by population; edges in blocks.

    Args:
        first: Folder or config, see ``find_populations``.
        second: The other one.
        most: Differing edges and nodes to list per population.

    Returns:
        ``a``, ``b``, ``equal``, ``missing``: [kind, name, circuit without it], and ``nodes`` and
        ``edges``: population to what ``compare_nodes`` and ``diff_edges.compare_edges`` return.

    Raises:
        CircuitError: If a circuit cannot be read.
    """
    files = [find_populations(Path(path)) for path in (first, second)]
    missing = [[*key, "BA"[i]] for i in (0, 1) for key in sorted(set(files[i]) - set(files[1 - i]))]
    shared = sorted(set(files[0]) & set(files[1]))
    result: dict[str, object] = {
        "a": str(first), "b": str(second), "missing": missing, "nodes": {}, "edges": {},
    }  # fmt: skip
    frames = [
        {
            name: read_nodes(source.file, name)
            for (kind, name), source in own.items()
            if kind == "nodes"
        }
        for own in files
    ]
    for kind, name in shared:
        sources = [own[kind, name] for own in files]
        types = [read_types(s.types) if s.types else pd.DataFrame() for s in sources]
        if kind == "nodes":
            found = compare_nodes([own[name] for own in frames], types, most)
        else:
            found = _edges(sources, name, frames, most)
            found["types_table"] = _table_changes(*types, most)
            found["equal"] &= not found["types_table"]
        result[kind][name] = found
    parts = [*result["nodes"].values(), *result["edges"].values()]
    result["equal"] = not missing and all(part["equal"] for part in parts)
    return result


def compare_nodes(
    frames: list[pd.DataFrame], types: list[pd.DataFrame], most: int
) -> dict[str, object]:
    """Compares two node populations.

    Args:
        frames: Both, as ``read_nodes`` gives them.
        types: Their types tables.
        most: Differing nodes to list.

    Returns:
        ``equal``; ``count`` [2]; ``types``: type to counts where they differ; ``attributes``: name
        to ``changed`` (nodes that differ, when both have the same ids), ``ks`` (numbers) and
        ``first`` (ids), where they differ; ``columns`` [2]: attributes of one alone;
        ``types_table``: what differs there.
    """
    counts = [_type_counts(frame, table) for frame, table in zip(frames, types, strict=True)]
    words = sorted(set(counts[0]) | set(counts[1]))
    by_type = {word: [own.get(word, 0) for own in counts] for word in words}
    names = [set(frame.columns) for frame in frames]
    changes = {}
    aligned = frames[0].index.equals(frames[1].index)
    for name in sorted(names[0] & names[1]):
        change = _column_change(frames[0][name], frames[1][name], aligned, most)
        if change:
            changes[name] = change
    result = {
        "count": [len(frame) for frame in frames],
        "types": {word: pair for word, pair in by_type.items() if pair[0] != pair[1]},
        "attributes": changes,
        "columns": [sorted(names[0] - names[1]), sorted(names[1] - names[0])],
        "types_table": _table_changes(*types, most),
    }
    same = aligned and not changes and not any(result["columns"]) and not result["types_table"]
    return {"equal": same and not result["types"]} | result


def _type_counts(frame: pd.DataFrame, types: pd.DataFrame) -> dict[str, int]:
    label = next((name for name in _LABELS if name in types), None)
    ids = frame[layout.NODE_TYPE]
    if "cell_type" in frame:
        values = frame["cell_type"].astype(str)
    elif label:
        values = ids.map(types[label].astype(str)).fillna("unknown")
    else:
        values = ids.astype(str)
    return {str(word): int(count) for word, count in values.value_counts().items()}


def _column_change(
    first: pd.Series, second: pd.Series, aligned: bool, most: int
) -> dict[str, object] | None:
    numeric = all(pd.api.types.is_numeric_dtype(column) for column in (first, second))
    if aligned:
        a, b = (
            column.to_numpy() if numeric else column.astype(str).to_numpy()
            for column in (first, second)
        )
        different = a != b
        if numeric:
            different &= ~(pd.isna(a) & pd.isna(b))
        if not different.any():
            return None
        change = {"changed": int(different.sum())}
        change["first"] = [int(i) for i in first.index[np.flatnonzero(different)[:most]]]
    else:
        change = {}
    if numeric:
        change["ks"] = _ks(first.to_numpy(np.float64), second.to_numpy(np.float64))
    return change or {"changed": None}


def _ks(first: np.ndarray, second: np.ndarray) -> float:
    values = [column[np.isfinite(column)] for column in (first, second)]
    edges = np.unique(np.concatenate(values))
    return ks_of_counts(
        *(np.bincount(np.searchsorted(edges, own), minlength=len(edges)) for own in values)
    )


def _table_changes(first: pd.DataFrame, second: pd.DataFrame, most: int) -> list[str]:
    """Differences of two types tables in words, at most ``most``."""
    found = [
        f"column {name} only in {side}"
        for side, own, other in (("A", first, second), ("B", second, first))
        for name in own if name not in other
    ]  # fmt: skip
    found += [
        f"type {key} only in {side}"
        for side, own, other in (("A", first, second), ("B", second, first))
        for key in own.index.difference(other.index)
    ]
    rows = first.index.intersection(second.index)
    for name in (name for name in first if name in second):
        a, b = first.loc[rows, name], second.loc[rows, name]
        different = ~((a == b) | (a.isna() & b.isna())).to_numpy()
        for key in rows[different][:most]:
            found.append(f"type {key}: {name} {a.loc[key]} | {b.loc[key]}")
    hidden = len(found) - most
    return found[:most] + ([f"and {hidden} more"] if hidden > 0 else [])


def _edges(sources: list[Source], name: str, frames: list[dict], most: int) -> dict[str, object]:
    with (
        open_population(sources[0].file, "edges", name) as first,
        open_population(sources[1].file, "edges", name) as second,
    ):
        sides = [_side(root, own) for root, own in zip((first, second), frames, strict=True)]
        return compare_edges(*sides, most)


def _side(root: h5py.Group, frames: Mapping[str, pd.DataFrame]) -> Side:
    ends = []
    for name in (layout.SOURCE_IDS, layout.TARGET_IDS):
        ids = column(root, name, len(column(root, layout.EDGE_TYPE, kinds="iu")), "iu")
        population = ids.attrs.get(layout.POPULATION_ATTRIBUTE, "")
        if isinstance(population, bytes):
            population = population.decode()
        ends.append(frames.get(population))
    places = [
        frame[_AXES].to_numpy(np.float64)
        if frame is not None and set(_AXES) <= set(frame)
        else None
        for frame in ends
    ]
    return Side(root, tuple(places), tuple(0 if frame is None else len(frame) for frame in ends))


def diff_lines(found: Mapping[str, object]) -> list[str]:
    """Returns a comparison as text: first of A, then of B."""
    lines = [f"A  {found['a']}", f"B  {found['b']}"]
    lines += [f"{kind} {name}: not in {side}" for kind, name, side in found["missing"]]
    for kind, what in (("nodes", "nodes"), ("edges", "edges")):
        for name, part in found[kind].items():
            a, b = part["count"] if kind == "nodes" else part["edges"]
            counts = f"{a:,} {what}" if a == b else f"{a:,} | {b:,} {what}"
            lines.append(f"{kind} {name}: {counts}, {'equal' if part['equal'] else 'different'}")
            if not part["equal"]:
                lines += [f"  {line}" for line in _part_lines(kind, part)]
    return [*lines, "equal" if found["equal"] else "different"]


def _part_lines(kind: str, part: Mapping[str, object]) -> list[str]:
    word = "type" if kind == "nodes" else "edge type"
    lines = [f"{word} {name}: {a:,} | {b:,}" for name, (a, b) in part["types"].items()]
    for side, names in zip("AB", part["columns"], strict=True):
        lines += [f"attribute {name}: only in {side}" for name in names]
    lines += [f"types table: {text}" for text in part["types_table"]]
    if kind == "nodes":
        for name, change in part["attributes"].items():
            words = []
            if change.get("changed"):
                words.append(f"{change['changed']:,} nodes differ, first {change['first']}")
            if "ks" in change:
                words.append(f"KS distance {change['ks']:.4g}")
            if words:
                lines.append(f"{name}: {'; '.join(words)}")
        return lines
    distances = {f"{name}-degree": entry for name, entry in part["degrees"].items()}
    if part["distance"]:
        distances["distance (um)"] = part["distance"]
    for name, entry in distances.items():
        a, b = entry["mean"]
        lines.append(f"{name}: mean {a:.6g} | {b:.6g}, KS distance {entry['ks']:.4g}")
    for name, (a, b) in part["attributes"].items():
        if a != b:
            lines.append(f"{name}: {_moments_text(a)} | {_moments_text(b)}")
    lines.append(f"only in A: {part['only'][0]:,}, only in B: {part['only'][1]:,}")
    changed = [f"{name} of {n:,}" for name, n in part["changed"].items() if n]
    if changed:
        lines.append(f"matched by {part['matched_by']}, different: {', '.join(changed)}")
    return lines + [f"first: {_edge_text(event)}" for event in part["first"]]


def _moments_text(entry: Mapping[str, float] | None) -> str:
    if entry is None:
        return "none"
    return f"{entry['mean']:.6g} +- {entry['sd']:.4g} ({entry['min']:.4g} to {entry['max']:.4g})"


def _edge_text(event: Mapping[str, object]) -> str:
    a, b = event["edge"]
    text = f"{event['source']} -> {event['target']}"
    if "only_in" in event:
        return f"edge {a if a is not None else b} of {event['only_in']}, {text}, only there"
    if "other_ends" in event:
        other = event["other_ends"]
        text += f" | {other['source']} -> {other['target']}"
    values = [f"{name} {x} | {y}" for name, (x, y) in event["values"].items()]
    return ", ".join([f"edge {a}" if a == b else f"edge {a} | {b}", text, *values])
