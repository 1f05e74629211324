"""Stage ``psp``: draws connections, records what is not kept yet, writes the tables."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.psp import PSP_FEATURES, Psp
from pipeline.errors import ConfigError, Problem
from pipeline.psp.pathways import Pair, Pathway, draw_pairs, read_pathways
from pipeline.psp.record import BEFORE, Job, Protocol, record
from pipeline.runtime import JsonStore, file_hash, value_hash, write_text
from pipeline.simulation.plan import read_gains
from pipeline.simulation.release_synapses import ReleaseReader, is_known
from pipeline.simulation.targets import typed_nodes
from pipeline.simulation.weights import EdgeReader
from pipeline.sonata.layout import CHEMICAL, CircuitPaths, edge_population_name
from pipeline.sonata.read import read_edges, read_json
from pipeline.worker import map_surviving

log = logging.getLogger(__name__)
VERSION = 2
"""Raised when kept recordings would come out otherwise."""
Runner = Callable[[list[Job], int, float], "list[dict | str]"]


@dataclass(frozen=True)
class Recording:
    """A connection of a pathway with what came of it.

    Attributes:
        pathway: Name.
        pair: The connection.
        conductance: Mean of its synapses, nS, after gains and factor.
        result: As ``record.record``; only ``reason`` where it could not be made.
        key: Under which it is kept.
    """

    pathway: str
    pair: Pair
    conductance: float
    result: dict[str, Any]
    key: str


class Setup:
    """Pathways, drawn connections and all that recordings need; the same for every factor.

    Args:
        resolved: The model.
        paths: The circuit; edges exist.
        library: Compiled mechanisms.
        names: Pathways to record; all when None.

    Raises:
        ConfigError: If the table is wrong or a pathway unknown.
        CircuitError: If the circuit lacks what recordings need.
    """

    def __init__(
        self, resolved: Resolved, paths: CircuitPaths, library: Path | None,
        names: Sequence[str] | None = None,
    ):  # fmt: skip
        self.resolved, self.paths, self.library = resolved, paths, library
        self.config: Psp = resolved.model.psp
        self.seed = resolved.model.seed if self.config.seed is None else self.config.seed
        self.pathways = read_pathways(resolved.path(self.config.targets), self.config.edges)
        if names:
            known = [p.name for p in self.pathways]
            if unknown := [name for name in names if name not in known]:
                hint = f"known: {', '.join(known)}"
                raise ConfigError(Problem("--name", f"no pathway {unknown[0]!r}", hint))
            self.pathways = [p for p in self.pathways if p.name in names]
        self.pairs: dict[str, list[Pair]] = {p.name: [] for p in self.pathways}
        self._readers: dict[str, tuple[str, ReleaseReader, list[pd.DataFrame]]] = {}
        for edges in dict.fromkeys(p.edges for p in self.pathways):
            if edges in resolved.model.edges:  # others are not of this variant
                self._open(edges)
        self._hashes: dict[str, str] = {}
        self._mechanisms = read_json(paths.mechanisms, "compile").get("hash", "")
        self._parameters: dict[str, dict] = {}

    def _open(self, edges: str) -> None:
        config, model = self.config, self.resolved.model
        ends = model.edges[edges].source, model.edges[edges].target
        population = edge_population_name(*ends, CHEMICAL)
        if not is_known(self.paths, population):
            message = f"edges {edges!r} have no synapses with release"
            raise ConfigError(Problem(self.resolved.origin(("psp", "edges")), message))
        nodes = [typed_nodes(self.paths, end) for end in ends]
        own = [p for p in self.pathways if p.edges == edges]
        self.pairs |= draw_pairs(self.paths, population, own, nodes, config.pairs, self.seed)
        gains = [g for g in read_gains(self.resolved, config) if g["population"] == population]
        reader = EdgeReader(self.paths, population, ends, gains, config.dt)
        conditions = {"extracellular_calcium": config.calcium, "minis": 0.0}
        release = ReleaseReader(self.paths, population, ends[1], reader, conditions)
        self._readers[edges] = population, release, nodes

    def nodes(self, edges: str) -> list[pd.DataFrame]:
        """Source and target nodes of an edge config, with the attributes of their types."""
        return self._readers[edges][2]

    def synapses(self, pathway: Pathway) -> pd.DataFrame:
        """Parameters of all synapses of the drawn connections of a pathway."""
        pairs = self.pairs[pathway.name]
        population, release, _ = self._readers[pathway.edges]
        targets = sorted({pair.target for pair in pairs})
        edges = read_edges(
            self.paths.edges(population), population, release.columns, targets=targets
        )
        edges = edges.loc[np.unique(np.concatenate([pair.edges for pair in pairs]))]
        block = {key: edges[key].to_numpy() for key in edges} | {"edge_id": edges.index.to_numpy()}
        return release.parameters(block)

    def jobs(self, pathway: Pathway, factor: float, store: Path) -> list[Job | str]:
        """Returns a job per connection of a pathway; a text says why there can be none."""
        pairs, config = self.pairs[pathway.name], self.config
        if not pairs:
            return []
        population, release, nodes = self._readers[pathway.edges]
        table = self.synapses(pathway)
        table["conductance"] *= factor
        protocol = Protocol(
            pathway.hold, config.spike, config.after, config.dt, config.every, config.celsius,
            config.trials,
        )  # fmt: skip
        found: list[Job | str] = []
        for pair in pairs:
            rows = table[table["edge_id"].isin(pair.edges)]
            node = nodes[1].loc[pair.target]
            file = node.get("dynamics_params")
            if not isinstance(file, str):
                found.append("the cell has no e-model")
                continue
            if rows.empty:
                found.append("a gain of 0 leaves no synapse")
                continue
            kinds = sorted(set(rows["type"].tolist()))
            job = Job(
                "", store, self.library, self.paths.root, str(self._target(pathway)), pair.target,
                str(node["morphology"]), self._emodel(file, pathway.ttx), population,
                rows.to_dict("records"), {kind: release.fixed(kind) for kind in kinds},
                self.seed, protocol,
            )  # fmt: skip
            found.append(Job(**(vars(job) | {"key": self._key(job)})))
        return found

    def _target(self, pathway: Pathway) -> str:
        return self.resolved.model.edges[pathway.edges].target

    def _emodel(self, file: str, ttx: bool) -> dict:
        """Content of a file of e-models, where needed without sodium channels."""
        if file not in self._parameters:
            self._parameters[file] = read_json(self.paths.emodels / file, "nodes")
        data = self._parameters[file]
        if not ttx:
            return data
        blocked = set(self.config.ttx)
        left = {
            where: {name: value for name, value in entries.items() if name not in blocked}
            for where, entries in data["emodel"]["mechanisms"].items()
        }
        return data | {"emodel": data["emodel"] | {"mechanisms": left}}

    def _key(self, job: Job) -> str:
        """Stands for all that decides a recording; file names do not matter, bytes do."""
        if job.morphology not in self._hashes:
            stem = Path(job.morphology)
            files = sorted(self.paths.morphologies.glob(f"{stem.name}*"))
            file = next((f for f in files if stem.name in (f.stem, f.name)), None)
            self._hashes[job.morphology] = file_hash(file) if file else ""
        return value_hash(
            [VERSION, self._hashes[job.morphology], self._mechanisms, job.parameters, job.node, job.edges,
             job.population, job.synapses, sorted(job.fixed.items()), job.seed,
             asdict(job.protocol)]
        )  # fmt: skip


def run_jobs(jobs: list[Job], workers: int, limit: float) -> list[dict | str]:
    """Records in processes that may hang or die."""
    return map_surviving(record, jobs, workers, "psp", limit=limit)


def record_all(
    setup: Setup, store: JsonStore, workers: int, factors: Mapping[str, float] | None = None,
    run: Runner = run_jobs,
) -> tuple[list[Recording], int]:  # fmt: skip
    """Records from all drawn connections that the store lacks.

    Args:
        setup: What to record.
        store: Where recordings stay.
        workers: Processes; results do not depend on it.
        factors: Of the conductances, by pathway; default 1.
        run: Runs jobs.

    Returns:
        One Recording per connection in the order of pathways and draws, and how many were made now.
    """
    jobs: list[tuple[Pathway, Pair, Job | str]] = []
    for pathway in setup.pathways:
        factor = (factors or {}).get(pathway.name, 1.0)
        own = setup.jobs(pathway, factor, store.folder)
        jobs += [(pathway, p, j) for p, j in zip(setup.pairs[pathway.name], own, strict=True)]
    kept = {j.key: store.get(j.key) for _, _, j in jobs if isinstance(j, Job)}
    missing = {j.key: j for _, _, j in jobs if isinstance(j, Job) and kept[j.key] is None}
    results = run(list(missing.values()), workers, setup.config.time_limit)
    for key, result in zip(missing, results, strict=True):
        if isinstance(result, str):
            log.warning("psp: node %d: %s", missing[key].node, result)
            kept[key] = {"reason": f"failed: {result}"}  # not in the store: tried again next time
        else:
            kept[key] = store.get(key) or result
    return [_recording(*entry, kept) for entry in jobs], len(missing)


def _recording(
    pathway: Pathway, pair: Pair, job: Job | str, kept: Mapping[str, dict | None]
) -> Recording:
    if isinstance(job, str):
        return Recording(pathway.name, pair, math.nan, {"reason": job}, "")
    mean = 1e3 * float(np.mean([row["conductance"] for row in job.synapses]))
    return Recording(pathway.name, pair, mean, kept[job.key] or {"reason": "no result"}, job.key)


def pair_table(recordings: Sequence[Recording]) -> pd.DataFrame:
    """One row per connection: pathway, cells, synapses, features, currents, why not, key."""
    columns = ["psp", "cv", "failures", "latency", "rise", "decay", "trials", "spikes",
               "holding_current", "held", "reversal"]  # fmt: skip
    rows = [
        {"pathway": r.pathway, "source": r.pair.source, "target": r.pair.target,
         "synapses": len(r.pair.edges), "conductance": r.conductance}
        | {name: _value(r.result.get(name)) for name in columns}
        | {"reason": r.result.get("reason", ""), "key": r.key}
        for r in recordings
    ]  # fmt: skip
    names = ["pathway", "source", "target", "synapses", "conductance", *columns, "reason", "key"]
    return pd.DataFrame(rows, columns=names)


def _value(value: Any) -> float:
    return math.nan if value is None else float(value)


def pathway_table(pathways: Sequence[Pathway], pairs: pd.DataFrame) -> pd.DataFrame:
    """One row per pathway: connections, means over them beside the published values.

    Returns:
        pathway, pre, post, hold, pairs (recorded), failed (without features), and for every feature
        its mean and sd over connections and the published mean and sd; conductance (nS), reversal,
        source, note.
    """
    rows = []
    for pathway in pathways:
        own = pairs[pairs["pathway"] == pathway.name]
        good = own[own["psp"].notna()]
        row: dict[str, Any] = {
            "pathway": pathway.name, "pre": " ".join(pathway.pre), "post": " ".join(pathway.post),
            "hold": pathway.hold, "pairs": len(good), "failed": len(own) - len(good),
        }  # fmt: skip
        for name in PSP_FEATURES:
            values = good[name].dropna()
            mean, sd = pathway.targets[name]
            row |= {name: values.mean(), f"{name}_sd": values.std(),
                    f"published_{name}": mean, f"published_{name}_sd": sd}  # fmt: skip
        row |= {"conductance": good["conductance"].mean(), "reversal": good["reversal"].mean(),
                "source": pathway.source, "note": pathway.note}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)


def trace_table(recordings: Sequence[Recording], every: float) -> pd.DataFrame:
    """Mean trace of every pathway and its sd over connections: pathway, time (ms), mean, sd (mV)."""
    frames = []
    for name in dict.fromkeys(r.pathway for r in recordings):
        found = [r.result["trace"] for r in recordings if r.pathway == name and "trace" in r.result]
        if found:
            data = np.array(found)
            time = np.arange(data.shape[1]) * every - BEFORE
            columns = {"time": time, "mean": data.mean(axis=0), "sd": data.std(axis=0)}
            frame = pd.DataFrame(columns)
            frame.insert(0, "pathway", name)
            frames.append(frame)
    columns = ["pathway", "time", "mean", "sd"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def write_tables(setup: Setup, recordings: Sequence[Recording], paths: CircuitPaths) -> None:
    """Writes pairs.csv, pathways.csv and traces.csv under ``psp/``."""
    pairs = pair_table(recordings)
    tables = {
        "pairs": pairs,
        "pathways": pathway_table(setup.pathways, pairs),
        "traces": trace_table(recordings, setup.config.every),
    }
    for name, table in tables.items():
        write_csv(paths.psp(name), table)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table; equal numbers give equal bytes."""
    write_text(path, table.to_csv(index=False, float_format="%.7g", lineterminator="\n"))
