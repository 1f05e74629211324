"""C. elegans connectomes from the cect package to plain pair tables.

cect (MIT, OpenWorm; https://github.com/openworm/ConnectomeToolbox) carries each published connectome as
JSON. Its wheel is read as plain files: neither the package nor its dependencies need to be importable.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_text
from pipeline.sources.c302 import padded_name
from pipeline.sources.wheel import open_wheel

VERSION = "cect 0.3.5"
READERS = {
    "cook2019": "Cook2019HermReader",
    "white1986": "White_whole",
    "witvliet1": "WitvlietDataReader1",
    "witvliet2": "WitvlietDataReader2",
    "witvliet3": "WitvlietDataReader3",
    "witvliet4": "WitvlietDataReader4",
    "witvliet5": "WitvlietDataReader5",
    "witvliet6": "WitvlietDataReader6",
    "witvliet7": "WitvlietDataReader7",
    "witvliet8": "WitvlietDataReader8",
}


def convert_wheel(wheel: str | Path, neurons: list[str], out: str | Path) -> list[Path]:
    """Writes one CSV (pre, post, kind, count) per connectome, restricted to the given neurons.

    ``kind`` is ``chemical`` (directed) or ``electrical`` (listed in both directions, as published).

    Args:
        wheel: The ``.whl`` file.
        neurons: Names to keep, zero-padded; rows follow their order.
        out: Folder of the tables.

    Returns:
        The files written.

    Raises:
        ConfigError: If the wheel lacks a connectome.
    """
    texts = {}
    with open_wheel(wheel, VERSION) as archive:
        for name, reader in READERS.items():
            try:
                data = json.loads(archive.read(f"cect/cache/{reader}.json"))
            except KeyError:
                problem = Problem(str(wheel), f"no {reader}", f"expected {VERSION}")
                raise ConfigError(problem) from None
            texts[Path(out) / f"{name}.csv"] = _table(data, neurons)
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


GABAERGIC = (
    *("AVL", "DVB", "RIS", "RMED", "RMEL", "RMER", "RMEV"),
    *(f"DD{i:02d}" for i in range(1, 7)),
    *(f"VD{i:02d}" for i in range(1, 14)),
)
"""The neurons with GABA (McIntire et al. 1993, Nature 364:337); onto muscle they inhibit."""


def convert_junctions(wheel: str | Path, neurons: list[str], out: str | Path) -> Path:
    """Writes the neuromuscular junctions of Cook et al. 2019: neuron, muscle, count, sign.

    Args:
        wheel: The ``.whl`` file.
        neurons: Names to keep, zero-padded; rows follow their order.
        out: Folder of the table.

    Returns:
        The file written. Muscles are the 95 of the body wall, named as in ``pipeline.body``; the sign
        is -1 for GABAergic neurons, 1 for all others.

    Raises:
        ConfigError: If the wheel lacks the connectome.
    """
    with open_wheel(wheel, VERSION) as archive:
        try:
            data = json.loads(archive.read(f"cect/cache/{READERS['cook2019']}.json"))
        except KeyError:
            problem = Problem(str(wheel), "no connectome of Cook 2019", f"expected {VERSION}")
            raise ConfigError(problem) from None
        text = _junctions(data, neurons)
    path = Path(out) / "neuromuscular.csv"
    write_text(path, text)
    return path


def _junctions(data: dict, neurons: list[str]) -> str:
    counts = sum(np.asarray(data["connections"][name], float) for name in _chemical(data))
    position = {padded_name(name): index for index, name in enumerate(data["nodes"])}
    units = [f"{quadrant}{i:02d}" for quadrant in ("DR", "VR", "DL", "VL") for i in range(1, 25)]
    muscles = [unit for unit in units if f"M{unit}" in position]
    lines = ["neuron,muscle,count,sign"]
    for neuron in neurons:
        for muscle in muscles if neuron in position else []:
            count = counts[position[neuron], position[f"M{muscle}"]]
            if count > 0:
                sign = -1 if neuron in GABAERGIC else 1
                lines.append(f"{neuron},{muscle},{count:g},{sign}")
    return "\n".join(lines) + "\n"


def _table(data: dict, neurons: list[str]) -> str:
    names = [padded_name(name) for name in data["nodes"]]
    position = {name: index for index, name in enumerate(names)}
    order = [name for name in neurons if name in position]
    select = np.array([position[name] for name in order])
    lines = ["pre,post,kind,count"]
    for kind, matrices in (("chemical", _chemical(data)), ("electrical", ["Generic_GJ"])):
        counts = sum(
            np.asarray(data["connections"][m], float) for m in matrices if m in data["connections"]
        )
        if np.ndim(counts) == 0:
            continue
        chosen = counts[np.ix_(select, select)]
        for i, j in zip(*np.nonzero(chosen), strict=True):
            lines.append(f"{order[i]},{order[j]},{kind},{chosen[i, j]:g}")
    return "\n".join(lines) + "\n"


def _chemical(data: dict) -> list[str]:
    """Every synapse class that is not a gap junction; transmitters are summed."""
    return sorted(name for name in data["connections"] if name != "Generic_GJ")
