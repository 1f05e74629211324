"""Synapses with stochastic release from SONATA edges: one point process per edge, keyed streams.

An edge of the template ``AmpaNmdaRelease`` or ``GabaABRelease`` (mechanism set ``release``) is one
synapse at its afferent section and position. Its numbers come from columns of the edge or of its type,
the rest from the type's ``dynamics_params`` file or the mechanism. Formulas: docs/synapses.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import CircuitError, MechanismError, Problem
from pipeline.simulation.neuron_cells import locate
from pipeline.simulation.weights import SYNAPSE_GRID, EdgeReader, synapse_models
from pipeline.sonata.layout import CircuitPaths
from pipeline.sonata.read import open_population, read_nodes, read_types

REFERENCE_CALCIUM = 2.0
"""mM of extracellular calcium at which ``u_syn`` holds (slices; Markram et al. 2015)."""
PLACE = ("afferent_section_id", "afferent_section_pos")
PLASTICITY = {"u_syn": "U", "depression_time": "D", "facilitation_time": "F"}
NANOSIEMENS = {"nS": 1.0, "uS": 1e3}


@dataclass(frozen=True)
class Template:
    """How the columns of an edge reach a mechanism.

    Attributes:
        ratio: RANGE variable of ``conductance_scale_factor``.
        rise: RANGE variable of the fast receptor's rise time; its value in ms if none is given.
        decay: RANGE variable of ``decay_time``.
        minis: Node attribute with the rate of miniature events per synapse, Hz.
        free: RANGE variables that ``dynamics_params`` may set.
    """

    ratio: str
    rise: tuple[str, float]
    decay: str
    minis: str
    free: tuple[str, ...]


def templates() -> dict[str, Template]:
    """Returns the mechanisms that stand for edges, by the edge type's ``model_template``."""
    return {
        "AmpaNmdaRelease": Template(
            "nmda_ratio", ("tau_r_ampa", 0.2), "tau_d_ampa", "exc_mini_frequency",
            ("e", "mg", "mg_scale", "mg_slope", "tau_r_ampa", "tau_r_nmda", "tau_d_nmda"),
        ),
        "GabaABRelease": Template(
            "gabab_ratio", ("tau_r_gabaa", 0.2), "tau_d_gabaa", "inh_mini_frequency",
            ("e_gabaa", "e_gabab", "tau_r_gabaa", "tau_r_gabab", "tau_d_gabab"),
        ),
    }  # fmt: skip


def is_known(paths: CircuitPaths, population: str) -> bool:
    """Whether the edges of a population are synapses with stochastic release.

    Raises:
        CircuitError: If only some of its types are.
    """
    file = paths.edge_types(population)
    found = read_types(file).get("model_template", pd.Series(dtype=object)).astype(str)
    known = found.isin(list(templates()))
    if known.any() and not known.all():
        message = f"{found[known].iloc[0]} and {found[~known].iloc[0]} in one population"
        raise CircuitError(Problem(str(file), message, "write them as two populations"))
    return bool(known.any())


def scale_release(u: np.ndarray, half: np.ndarray, calcium: float) -> np.ndarray:
    """Release probability at a concentration of extracellular calcium, at most 1: float64 [n].

    ``U(ca) = U y ca^4 / (h^4 + ca^4)`` with y such that U(2 mM) = U (Markram et al. 2015, Cell
    163:456; Rozov et al. 2001, J Physiol 531:807, found the steep and the shallow dependence).

    Args:
        u: float64 [n], at 2 mM.
        half: float64 [n], h in mM; 0 where release does not depend on calcium.
        calcium: mM.
    """
    power = calcium**4 / REFERENCE_CALCIUM**4
    scale = power * (half**4 + REFERENCE_CALCIUM**4) / (half**4 + calcium**4)
    return np.minimum(np.where(half > 0, u * scale, u), 1.0)


def stream_keys(seed: int, population: str) -> tuple[int, int]:
    """Third ids of the release and the mini streams; the first two are the edge and its target.

    So the numbers of a synapse depend on the seed, the edge population, the edge's id and its target,
    and neither on ranks nor on the engine nor on other edges.
    """
    texts = (f"{purpose}/{seed}/{population}" for purpose in ("release", "mini"))
    digests = [hashlib.blake2b(text.encode(), digest_size=4).digest() for text in texts]
    return int.from_bytes(digests[0], "little"), int.from_bytes(digests[1], "little")


class ReleaseReader:
    """Turns blocks of edges into parameters of the mechanisms.

    Args:
        paths: The circuit.
        population: Edge population.
        target: Its target node population; its mini frequencies are read where there are any.
        reader: Columns, gains and delays of the population.
        conditions: Of the simulation config; calcium (mM), minis (a factor), release.
    """

    def __init__(
        self, paths: CircuitPaths, population: str, target: str, reader: EdgeReader,
        conditions: dict[str, Any],
    ):  # fmt: skip
        self._file, self._reader = str(paths.edges(population)), reader
        self._calcium = float(conditions.get("extracellular_calcium", REFERENCE_CALCIUM))
        self._minis = float(conditions.get("minis", 1.0))
        self._stochastic = float(conditions.get("release", "stochastic") == "stochastic")
        self._templates = reader.types["model_template"].astype(str)
        self._fixed = _fixed(paths, population, reader.types)
        with open_population(paths.edges(population), "edges", population) as root:
            self.columns = [name for name in root["0"] if name in _read_columns()]
            unit = "nS"
            if "conductance" in root["0"]:
                unit = _text(root["0/conductance"].attrs.get("units", unit))
        if unit not in NANOSIEMENS:
            expected = "expected nS or uS"
            raise CircuitError(Problem(self._file, f"conductance is in {unit!r}", expected))
        self._unit = 1e-3 * NANOSIEMENS[unit]
        nodes = read_nodes(paths.nodes(target), target)
        names = {t.minis for t in templates().values()} & set(nodes)
        self._frequencies = {name: nodes[name].to_numpy(np.float64) for name in names}

    def parameters(self, block: dict[str, np.ndarray]) -> pd.DataFrame:
        """Returns the synapses of a block, one row each, in the order of the block.

        Args:
            block: Edges with ``edge_id`` and the columns of ``columns``.

        Returns:
            Columns edge_id, source, target, delay (ms), template, section, position, and the RANGE
            variables that edges set, conductances in uS. Edges that a gain of 0 silences are left out.

        Raises:
            CircuitError: If an edge lacks a number or has one that cannot be.
        """
        count = len(block["edge_type_id"])
        ones = {name: np.ones(count) for name in ("syn_weight", "nsyns")}
        values = self._reader.values(block | ones, SYNAPSE_GRID)  # the gains alone
        rows = slice(None) if values.rows is None else values.rows
        get = lambda name, default=None: self._reader.column(  # noqa: E731
            block, name, block["edge_type_id"].astype(np.int64), default
        )[rows]
        found = {
            "edge_id": block["edge_id"][rows], "source": values.sources, "target": values.targets,
            "delay": values.delays, "template": self._templates.loc[values.types].to_numpy(),
            "section": get(PLACE[0]).astype(np.int64), "position": get(PLACE[1]),
            "conductance": get("conductance") * self._unit * values.weights,
            "ratio": get("conductance_scale_factor", np.nan), "decay": get("decay_time"),
            "N": get("n_rrp_vesicles", 1.0), "nsyns": get("nsyns", 1.0),
            **{variable: get(column) for column, variable in PLASTICITY.items()},
            "type": values.types, "half": get("u_hill_coefficient", 0.0),
        }  # fmt: skip
        table = pd.DataFrame(found)
        self._check(table)
        u, half = table["U"].to_numpy(), table["half"].to_numpy()
        table["U"] = scale_release(u, half, self._calcium)
        table["mini_rate"] = self._rates(table)
        return table

    def _rates(self, table: pd.DataFrame) -> np.ndarray:
        rates = np.zeros(len(table))
        for name, template in templates().items():
            rows = (table["template"] == name).to_numpy()
            if template.minis in self._frequencies:
                rates[rows] = self._frequencies[template.minis][table["target"].to_numpy()[rows]]
        return rates * self._minis

    def _check(self, table: pd.DataFrame) -> None:
        rise = np.array([self.fixed(k).get(t.rise[0], t.rise[1]) for k, t in self._rows(table)])
        tests = {
            "u_syn": (table["U"].between(0, 1), "U", "from 0 to 1"),
            "depression_time": (table["D"] >= 0, "D", "ms, not negative"),
            "facilitation_time": (table["F"] >= 0, "F", "ms, not negative"),
            "n_rrp_vesicles": ((table["N"] >= 1) & (table["N"] % 1 == 0), "N", "an integer from 1"),
            "nsyns": (table["nsyns"] == 1, "nsyns", "one synapse per edge"),
            "conductance": (table["conductance"] >= 0, "conductance", "not negative"),
            "conductance_scale_factor": (~(table["ratio"] < 0), "ratio", "not negative"),
            "decay_time": (table["decay"] > rise, "decay", "ms, above the rise time"),
            "u_hill_coefficient": (table["half"] >= 0, "half", "mM, not negative"),
        }
        problems = []
        for name, (good, column, expected) in tests.items():
            bad = np.flatnonzero(~(good.to_numpy() & np.isfinite(table[column].fillna(0))))
            if len(bad):
                row = table.iloc[bad[0]]
                message = (
                    f"edge {row['edge_id']}: {name} gives {row[column]:g}; expected {expected}"
                )
                problems.append(
                    Problem(self._file, message, f"{len(bad)} such edges in this block")
                )
        if problems:
            raise CircuitError(problems)

    def _rows(self, table: pd.DataFrame):
        known = templates()
        return [(k, known[t]) for k, t in zip(table["type"], table["template"], strict=True)]

    def fixed(self, kind: int) -> dict[str, float]:
        """Returns what the synapse model file of an edge type sets."""
        return self._fixed[int(kind)]

    @property
    def stochastic(self) -> float:
        """1, or 0 for the mean form."""
        return self._stochastic


def make_synapses(
    pc: Any, reader: ReleaseReader, table: pd.DataFrame, cells: dict[int, Any], gids: np.ndarray,
    keys: tuple[int, int],
) -> list[tuple[Any, Any]]:  # fmt: skip
    """Makes the point processes and NetCons of a block.

    Args:
        pc: NEURON's ParallelContext.
        reader: Where the table is from.
        table: From ``ReleaseReader.parameters``.
        cells: Node id to cell (with ``hobj``), of this rank.
        gids: int64, NEURON's gid by source node id.
        keys: From ``stream_keys``.

    Returns:
        Point process and NetCon of every synapse; keep them while simulating.

    Raises:
        MechanismError: If the mechanism set ``release`` is not loaded.
    """
    from neuron import h

    missing = sorted(set(table["template"]) - set(dir(h)))
    if missing:
        hint = "add the set release to mechanisms"
        raise MechanismError(Problem(missing[0], f"no mechanism {missing[0]!r}", hint))
    made = []
    for row in table.itertuples(index=False):
        process = place_synapse(h, cells[row.target], row)
        set_synapse(process, reader, row, keys)
        netcon = pc.gid_connect(int(gids[row.source]), process)
        netcon.delay, netcon.weight[0] = row.delay, 1.0
        made.append((process, netcon))
    return made


def place_synapse(h: Any, cell: Any, row: Any) -> Any:
    """Makes the point process of an edge in the middle of its segment.

    Args:
        h: NEURON's interpreter.
        cell: With ``node_id`` and ``hobj``.
        row: Named tuple, one row of ``ReleaseReader.parameters``.
    """
    section, position = locate(cell, row.section, row.position)
    nseg = section.nseg
    x = (min(int(position * nseg), nseg - 1) + 0.5) / nseg
    return getattr(h, row.template)(section(x))


def set_synapse(process: Any, reader: ReleaseReader, row: Any, keys: tuple[int, int]) -> None:
    """Gives a point process the numbers of its edge.

    Args:
        process: Of the row's template.
        reader: Where the row is from.
        row: Named tuple, one row of ``ReleaseReader.parameters``.
        keys: From ``stream_keys``.
    """
    law = templates()[row.template]
    for name, value in reader.fixed(row.type).items():
        setattr(process, name, value)
    process.g_max, process.U, process.D, process.F = row.conductance, row.U, row.D, row.F
    process.N, process.mini_rate, process.stochastic = row.N, row.mini_rate, reader.stochastic
    setattr(process, law.decay, row.decay)
    if row.ratio == row.ratio:  # not given: the mechanism's
        setattr(process, law.ratio, row.ratio)
    number = int(row.edge_id) & 0xFFFFFFFF
    process.release_stream.set_ids(number, int(row.target), keys[0])
    process.mini_stream.set_ids(number, int(row.target), keys[1])


def _read_columns() -> set[str]:
    names = {"conductance", "conductance_scale_factor", "decay_time", "n_rrp_vesicles"}
    return names | {"delay", "nsyns", "u_hill_coefficient", *PLACE, *PLASTICITY}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _fixed(
    paths: CircuitPaths, population: str, types: pd.DataFrame
) -> dict[int, dict[str, float]]:
    """Values of the synapse model files by edge type, checked."""
    problems, found = [], {}
    for key, model in synapse_models(paths, types).items():
        free = templates()[types.loc[key, "model_template"]].free
        where = f"{paths.edge_types(population)}  edge type {key}"
        for name, value in model.items():
            if name not in free:
                problems.append(Problem(where, f"unknown {name!r}", f"known: {', '.join(free)}"))
            elif not isinstance(value, int | float) or not np.isfinite(value):
                problems.append(Problem(where, f"{name} is {value!r}", "write a number"))
        found[key] = model
    if problems:
        raise CircuitError(problems)
    return found
