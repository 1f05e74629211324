"""C. elegans connectomes from the cect package to plain pair tables.

cect (MIT, OpenWorm; https://github.com/openworm/ConnectomeToolbox) carries each published connectome as
JSON. Its wheel is read as plain files: neither the package nor its dependencies need to be importable.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError, Problem
from pipeline.runtime import write_text
from pipeline.sources.c302 import padded_name

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
    written = []
    with zipfile.ZipFile(wheel) as archive:
        for name, reader in READERS.items():
            try:
                data = json.loads(archive.read(f"cect/cache/{reader}.json"))
            except KeyError:
                problem = Problem(str(wheel), f"no {reader}", f"expected {VERSION}")
                raise ConfigError(problem) from None
            path = Path(out) / f"{name}.csv"
            write_text(path, _table(data, neurons))
            written.append(path)
    return written


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
