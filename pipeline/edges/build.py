"""Stage ``edges``: contacts of every pair, or edges from rules, as SONATA edges."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from pipeline.cells.morphology import Segments, read_morphology, segment_counts, segments_of
from pipeline.config.afferents import AfferentEdges
from pipeline.config.load import Resolved
from pipeline.config.rules import RuleEdges
from pipeline.config.schema import ContactEdges, FixedLength, Receptor
from pipeline.config.touches import TouchEdges
from pipeline.edges.connectome import read_connectome
from pipeline.edges.contacts import (
    CHEMICAL,
    GAP,
    contact_count,
    draw_distances,
    draw_values,
    order_of_kinds,
    pair_streams,
    place_pair,
)
from pipeline.edges.perturbed import perturb_contacts
from pipeline.edges.weights import apply_weights
from pipeline.runtime import progress
from pipeline.sonata.configs import write_types
from pipeline.sonata.layout import CircuitPaths, edge_population_name
from pipeline.sonata.read import read_nodes
from pipeline.sonata.write import write_edges

EXCITATORY, INHIBITORY, ELECTRICAL = 0, 1, 2


def run_edges(resolved: Resolved, name: str, paths: CircuitPaths) -> dict[str, int]:
    """Writes the populations of one edge config: chemical and electrical.

    Args:
        resolved: The model.
        name: Key under ``edges``.
        paths: The circuit; its nodes and morphologies exist.

    Returns:
        Edge population name to number of edges.

    Raises:
        ConfigError: If the connectome table is wrong.
        CircuitError: If the nodes are missing.
    """
    edges = resolved.model.edges[name]
    if isinstance(edges, RuleEdges):
        # The sampler's compiler loads slowly; other models need not wait for it.
        from pipeline.edges.rules.stage import run_rules

        return run_rules(resolved, name, paths)
    if isinstance(edges, TouchEdges):
        from pipeline.edges.touch.stage import run_touches

        return run_touches(resolved, name, paths)
    if isinstance(edges, AfferentEdges):
        from pipeline.edges.afferents import run_afferents

        return run_afferents(resolved, name, paths)
    source = read_nodes(paths.nodes(edges.source), edges.source)
    target = read_nodes(paths.nodes(edges.target), edges.target)
    suffix = resolved.model.cells.morphologies.format
    places = {
        role: _places(frame, paths, suffix, edges.spacing)
        for role, frame in (("source", source), ("target", target))
    }
    path = resolved.path(edges.connectome_folder) / f"{edges.connectome}.csv"
    names = list(dict.fromkeys([*source["name"], *target["name"]]))
    counts = read_connectome(path, names)
    rows = [names.index(name) for name in source["name"]]
    columns = [names.index(name) for name in target["name"]]
    counts = {kind: matrix[np.ix_(rows, columns)] for kind, matrix in counts.items()}
    contacts = find_contacts(edges, resolved.model.seed, source, target, places, counts)
    if edges.weights:
        both = source["name"].tolist(), target["name"].tolist()
        contacts = apply_weights(contacts, both, resolved.path(edges.weights))
    if edges.perturb:
        contacts = perturb_contacts(contacts, source, edges.perturb, name)
    return {
        **_write_chemical(edges, contacts, len(source), len(target), paths),
        **_write_electrical(edges, contacts, len(source), paths),
    }


def _places(
    frame: pd.DataFrame, paths: CircuitPaths, suffix: str, spacing: float
) -> list[Segments]:
    """Candidate places of every cell in circuit coordinates."""
    found = []
    shift = frame[["x", "y", "z"]].to_numpy()
    for name, position in zip(frame["morphology"], shift, strict=True):
        morphology = read_morphology(paths.morphologies / f"{name}.{suffix}")
        counts = segment_counts(morphology, FixedLength(length=spacing), None)
        local = segments_of(morphology, counts)
        found.append(Segments(local.section, local.x, local.points + position))
    return found


def find_contacts(
    edges: ContactEdges,
    seed: int,
    source: pd.DataFrame,
    target: pd.DataFrame,
    places: dict[str, list[Segments]],
    counts: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Places the contacts of every connected pair.

    Args:
        edges: The law.
        seed: The model's seed.
        source: Source nodes with ``key``; likewise target.
        places: Candidate places per cell, for ``source`` and ``target``.
        counts: Connectome counts, kind to float64 [sources, targets].

    Returns:
        One row per contact: kind, source, target, section, position and point of both sides, distance, weight
        (chemical: factor, electrical: uS), inhibitory.
    """
    chemical = contact_count(counts["chemical"], edges.chemical.count)
    electrical = contact_count(counts["electrical"], edges.electrical.count)
    keys = source["key"].to_numpy()[:, None], target["key"].to_numpy()[None, :]
    # Within one population a gap junction is placed once, from the lower to the higher key.
    electrical = np.where(keys[0] < keys[1], electrical, 0)
    if not edges.autapses:
        chemical = np.where(keys[0] == keys[1], 0, chemical)
    pairs = np.argwhere(chemical + electrical > 0)
    frames = []
    for i, j in progress(pairs, total=len(pairs), label="contacts", unit="pair"):
        pre, post = places["source"][i], places["target"][j]
        n = int(chemical[i, j]), int(electrical[i, j])
        frame = _contacts_of_pair(edges, seed, (keys[0][i, 0], keys[1][0, j]), n, pre, post)
        frames.append(frame.assign(source=i, target=j))
    return pd.concat(frames, ignore_index=True) if frames else _empty()


def _contacts_of_pair(edges, seed, keys, n, pre: Segments, post: Segments) -> pd.DataFrame:
    n_chemical, n_gap = n
    rng = pair_streams(seed, int(keys[0]), int(keys[1]))
    kinds = order_of_kinds(n_chemical, n_gap, edges.gap_first, rng["order"].random(sum(n)))
    wanted = np.empty(sum(n))
    wanted[kinds == CHEMICAL] = draw_distances(edges.chemical.distance, rng["distance"], n_chemical)
    wanted[kinds == GAP] = draw_distances(edges.electrical.distance, rng["gap"], n_gap)
    place = place_pair(cdist(pre.points, post.points), wanted, kinds, edges.tolerance)
    chemical = place.kind == CHEMICAL
    weight = np.empty(len(place.kind))
    weight[chemical] = draw_values(edges.chemical.weight, rng["weight"], chemical.sum())
    weight[~chemical] = draw_values(
        edges.electrical.conductance, rng["conductance"], (~chemical).sum()
    )
    draws = rng["sign"].random(len(place.kind))
    columns = {
        "kind": place.kind,
        "distance": place.distance,
        "weight": weight,
        "inhibitory": chemical & (draws < edges.chemical.inhibitory_probability),
    }
    for side, segments, index in (("pre", pre, place.pre), ("post", post, place.post)):
        columns[f"{side}_section"] = segments.section[index]
        columns[f"{side}_pos"] = segments.x[index]
        for axis, values in zip("xyz", segments.points[index].T, strict=True):
            columns[f"{side}_{axis}"] = values
    return pd.DataFrame(columns)


def _empty() -> pd.DataFrame:
    sides = [f"{s}_{c}" for s in ("pre", "post") for c in ("section", "pos", "x", "y", "z")]
    names = ["kind", "distance", "weight", "inhibitory", *sides, "source", "target"]
    return pd.DataFrame({name: np.empty(0) for name in names}).astype({"inhibitory": bool})


def _sides(rows: pd.DataFrame, pre: str, post: str) -> dict[str, np.ndarray]:
    """Section, position and point of both ends; ``pre`` and ``post`` name the columns' prefix."""
    columns = {}
    for side, prefix in (("efferent", pre), ("afferent", post)):
        columns[f"{side}_section_id"] = rows[f"{prefix}_section"].to_numpy()
        columns[f"{side}_section_pos"] = rows[f"{prefix}_pos"].to_numpy()
        for axis in "xyz":
            columns[f"{side}_center_{axis}"] = rows[f"{prefix}_{axis}"].to_numpy()
    return columns


def _write_chemical(
    edges: ContactEdges, contacts: pd.DataFrame, n_source: int, n_target: int, paths: CircuitPaths
) -> dict[str, int]:
    rows = contacts[contacts["kind"] == CHEMICAL]
    name = edge_population_name(edges.source, edges.target, "chemical")
    inhibitory = rows["inhibitory"].to_numpy(bool)
    peak = np.where(
        inhibitory,
        edges.chemical.inhibitory.conductance,
        edges.chemical.excitatory.conductance,
    )
    columns = _sides(rows, "pre", "post") | {
        "syn_weight": rows["weight"].to_numpy(),
        "conductance": rows["weight"].to_numpy() * peak,
        "delay": np.zeros(len(rows)),
        "distance": rows["distance"].to_numpy(),
    }
    types = np.where(inhibitory, INHIBITORY, EXCITATORY)
    write_edges(
        paths.edges(name), name, edges.source, edges.target,
        rows["source"].to_numpy(np.uint64), rows["target"].to_numpy(np.uint64), types, columns,
        n_source, n_target, units={"distance": "um"},
    )  # fmt: skip
    write_types(
        paths.edge_types(name),
        [
            _graded(EXCITATORY, "excitatory", edges.chemical.excitatory),
            _graded(INHIBITORY, "inhibitory", edges.chemical.inhibitory),
        ],
    )
    return {name: len(rows)}


def _graded(edge_type: int, sign: str, receptor: Receptor) -> dict[str, object]:
    return {
        "edge_type_id": edge_type,
        "model_template": "GradedSyn",
        "synapse_sign": sign,
        "g": receptor.conductance,
        "erev": receptor.reversal,
        "k": receptor.k,
        "vth": receptor.threshold,
        "delta": receptor.slope,
    }


def _write_electrical(
    edges: ContactEdges, contacts: pd.DataFrame, n: int, paths: CircuitPaths
) -> dict[str, int]:
    rows = contacts[contacts["kind"] == GAP]
    name = edge_population_name(edges.source, edges.target, "electrical")
    halves = {}
    junction = np.arange(len(rows), dtype=np.uint64)
    for forward, pre, post in ((True, "pre", "post"), (False, "post", "pre")):
        ends = (2 * junction, 2 * junction + 1)
        halves[forward] = _sides(rows, pre, post) | {
            "conductance": rows["weight"].to_numpy(),
            "distance": rows["distance"].to_numpy(),
            "efferent_junction_id": ends[0 if forward else 1],
            "afferent_junction_id": ends[1 if forward else 0],
        }
    columns = {key: np.concatenate([halves[True][key], halves[False][key]]) for key in halves[True]}
    ends = [rows["source"].to_numpy(np.uint64), rows["target"].to_numpy(np.uint64)]
    write_edges(
        paths.edges(name), name, edges.source, edges.target,
        np.concatenate(ends), np.concatenate(ends[::-1]),
        np.full(2 * len(rows), ELECTRICAL), columns, n, n, units={"distance": "um"},
    )  # fmt: skip
    write_types(paths.edge_types(name), [{"edge_type_id": ELECTRICAL, "model_template": "GapHalf"}])
    return {name: 2 * len(rows)}
