"""Makes a small sound circuit: a ring of cells with graded synapses and gap junctions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.sonata import layout
from pipeline.sonata.configs import write_circuit_config, write_node_sets, write_types
from pipeline.sonata.write import write_edges, write_nodes

SWC = """\
1 1 0 0 0 2 -1
2 3 2 0 0 1 1
3 3 10 0 0 1 2
4 3 20 5 0 1 3
5 3 20 -5 0 1 3
"""
"""A soma and three sections: one dendrite that branches once."""

CHEMICAL, ELECTRICAL = "neurons__neurons__chemical", "neurons__neurons__electrical"
FEED = "sensory__neurons__chemical"


def _columns(n: int, dtypes: dict[str, str]) -> dict[str, np.ndarray]:
    return {name: np.zeros(n, dtype) for name, dtype in dtypes.items()}


def _side(n: int, side: str) -> dict[str, np.ndarray]:
    """Returns the columns that say where on a cell a contact lies, as SNAP's schemas list them."""
    zeros = {name: np.zeros(n) for name in layout.DTYPES
             if name.startswith(f"{side}_") and not name.endswith("junction_id")}  # fmt: skip
    zeros[f"{side}_section_id"] = np.arange(n) % 4
    zeros[f"{side}_section_pos"] = np.linspace(0, 1, n)
    return zeros


def _write_nodes(paths: layout.CircuitPaths, n: int, n_sensory: int, library=()) -> None:
    texts = {"morphology": "cell", "model_template": "hoc:Cell", "model_type": "biophysical",
             "morph_class": "INT", "etype": "graded"}  # fmt: skip
    columns: dict[str, object] = {name: [text] * n for name, text in texts.items()}
    columns["mtype"] = [f"M{i % 3}" for i in range(n)]
    columns["synapse_class"] = ["EXC" if i % 2 else "INH" for i in range(n)]
    angle = 2 * np.pi * np.arange(n) / n
    columns |= {"x": 50 * np.cos(angle), "y": 50 * np.sin(angle), "z": np.zeros(n)}
    columns |= {f"orientation_{axis}": np.full(n, float(axis == "w")) for axis in "wxyz"}
    dynamics = {name: np.zeros(n, "f4") for name in ("holding_current", "threshold_current")}
    write_nodes(paths.nodes("neurons"), "neurons", columns, np.arange(n) % 2 + 100,
                dynamics=dynamics, library=library)  # fmt: skip
    write_types(
        paths.node_types("neurons"),
        [{"node_type_id": 100, **texts, "label": "even one"},
         {"node_type_id": 101, **texts, "label": None}],
    )  # fmt: skip
    write_nodes(
        paths.nodes("sensory"), "sensory", {"model_type": ["virtual"] * n_sensory}, [7] * n_sensory
    )
    write_types(paths.node_types("sensory"), [{"node_type_id": 7, "model_type": "virtual"}])


def _write_chemical(paths: layout.CircuitPaths, name: str, source: np.ndarray, n_source: int,
                    target: np.ndarray, n: int) -> None:  # fmt: skip
    edges = len(source)
    columns = {**_side(edges, "afferent"), **_side(edges, "efferent")}
    columns |= {"syn_weight": np.ones(edges), "conductance": np.full(edges, 1e-4),
                "delay": np.full(edges, 0.5)}  # fmt: skip
    columns |= _columns(
        edges,
        dict.fromkeys(
            ("decay_time", "depression_time", "facilitation_time", "u_syn", "spine_length"), "f4"
        ),
    )
    columns |= _columns(edges, dict.fromkeys(("n_rrp_vesicles", "syn_type_id"), "u4"))
    names = name.split("__")[:2]
    types = np.arange(edges) % 2
    write_edges(paths.edges(name), name, *names, source, target, types, columns, n_source, n)
    write_types(
        paths.edge_types(name),
        [{"edge_type_id": 0, "syn_type": "exc", "erev": 0.0, "model_template": "Graded"},
         {"edge_type_id": 1, "syn_type": "inh", "erev": -75.0, "model_template": "Graded"}],
    )  # fmt: skip


def _write_electrical(paths: layout.CircuitPaths, n: int) -> None:
    one, other = np.arange(n), (np.arange(n) + 2) % n
    near, far = np.arange(n), np.arange(n) + n
    source, target = np.concatenate((one, other)), np.concatenate((other, one))
    sides = {side: _side(n, side) for side in ("afferent", "efferent")}
    columns = {}
    for side, opposite in (("afferent", "efferent"), ("efferent", "afferent")):
        for column, values in sides[side].items():
            mirror = sides[opposite][column.replace(side, opposite)]
            columns[column] = np.concatenate((values, mirror))
    columns["efferent_junction_id"] = np.concatenate((near, far))
    columns["afferent_junction_id"] = np.concatenate((far, near))
    columns |= {"conductance": np.full(2 * n, 1e-5), "spine_length": np.zeros(2 * n)}
    write_edges(paths.edges(ELECTRICAL), ELECTRICAL, "neurons", "neurons", source, target,
                np.zeros(2 * n, int), columns, n, n)  # fmt: skip
    write_types(
        paths.edge_types(ELECTRICAL),
        [{"edge_type_id": 0, "model_template": "Gap", "is_gap_junction": True, "syn_weight": 1.0}],
    )


def make_ring(root: Path, n: int = 8, library: tuple[str, ...] = ()) -> layout.CircuitPaths:
    """Writes the circuit.

    Args:
        root: Folder to write into.
        n: Number of cells; cell i excites i + 1 and inhibits i + 3, and couples to i + 2.
        library: Text columns to store as enumerations.

    Returns:
        The circuit's paths.
    """
    paths = layout.CircuitPaths(root)
    for folder in (paths.morphologies, paths.emodels):
        folder.mkdir(parents=True, exist_ok=True)
    (paths.morphologies / "cell.swc").write_text(SWC, encoding="utf-8")
    (paths.emodels / "Cell.hoc").write_text("begintemplate Cell\nendtemplate Cell\n")
    _write_nodes(paths, n, 3, library)
    cells = np.arange(n)
    source = np.repeat(cells, 2)
    target = np.column_stack(((cells + 1) % n, (cells + 3) % n)).ravel()
    _write_chemical(paths, CHEMICAL, source, n, target, n)
    _write_chemical(paths, FEED, np.array([0, 2, 2, 2]), 3, np.array([5, 1, 1, 0]), n)
    _write_electrical(paths, n)
    write_node_sets(paths.node_sets, {
        "All": {"population": "neurons"},
        "even": {"population": "neurons", "node_id": list(range(0, n, 2))},
        "M1": {"mtype": "M1"},
        "some": ["even", "M1"],
    })  # fmt: skip
    write_circuit_config(
        paths,
        {"neurons": {"type": "biophysical"}, "sensory": {"type": "virtual"}},
        {CHEMICAL: {"type": "chemical"}, FEED: {"type": "chemical"},
         ELECTRICAL: {"type": "electrical"}},
    )  # fmt: skip
    return paths
