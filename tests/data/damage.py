"""Ways to damage a sound file: bytes, words, JSON values and HDF5 datasets."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

WORDS = (
    "", "nan", "inf", "-inf", "-1", "0", "1e400", "1e-400", "9" * 25, "0.5", "x", "null", "true",
    "[]", "{}", "[1]", "{a: 1}", "~", "'", '"', "../../etc/passwd", "<script>", "é", "0x10", "-",
    "1_000", "1,5", "2**9", "&a", "*a", "!!python/none", "|", "- ",
)  # fmt: skip
VALUES = (
    None, True, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", "x", "../..", [], [1], ["x"],
    [[]], {}, {"x": 1}, [None], [{}],
)  # fmt: skip
TEXT = (".yaml", ".csv", ".json", ".swc", ".asc", ".mod", ".mesh")


def bytes_damage(data: bytes, draw: random.Random) -> bytes:
    """Truncates, flips, cuts, doubles or inserts some bytes."""
    kind, size = draw.randrange(5), len(data)
    at, length = draw.randrange(size), draw.choice((1, 2, 8, 64))
    if kind == 0:
        return data[:at]
    if kind == 1:
        changed = bytearray(data)
        for _ in range(length):
            changed[draw.randrange(size)] = draw.choice((0, 255, 10, draw.randrange(256)))
        return bytes(changed)
    if kind == 2:
        return data[:at] + data[at + length :]
    if kind == 3:
        return data[: at + length] + data[at:]
    return data[:at] + draw.randbytes(length) + data[at:]


def word_damage(data: bytes, draw: random.Random) -> bytes:
    """Replaces one word of a text by another kind of word, or moves lines."""
    text = data.decode()
    kind = draw.randrange(8)
    if kind == 0:
        lines = text.splitlines(keepends=True)
        line = draw.randrange(len(lines))
        lines[line : line + 1] = [] if draw.randrange(2) else [lines[line]] * 2
        return "".join(lines).encode()
    words = list(re.finditer(r"[^\s,:;(){}\[\]\"']+", text))
    found = draw.choice(words)
    new = draw.choice((*WORDS, draw.choice(words)[0]))
    return (text[: found.start()] + new + text[found.end() :]).encode()


def json_damage(data: bytes, draw: random.Random) -> bytes:
    """Replaces one value of a JSON tree, or takes its key away."""
    tree = json.loads(data)
    places: list[tuple] = []

    def walk(value):
        if not isinstance(value, dict | list):
            return
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            places.append((value, key))
            walk(child)

    walk(tree)
    holder, key = draw.choice(places)
    if draw.randrange(5):
        holder[key] = draw.choice(VALUES)
    else:
        del holder[key]
    return json.dumps(tree).encode()


def hdf5_damage(path: Path, draw: random.Random) -> None:
    """Gives a dataset or group another kind, length, shape or value, or takes it away."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = draw.choice(names)
        item = file[name]
        kind = draw.randrange(9)
        if kind == 0 or not isinstance(item, h5py.Dataset):
            del file[name]
            if kind in (1, 2):
                file[name] = np.zeros(3)
            return
        values = item[()]
        del file[name]
        if kind == 1:
            return
        file[name] = {
            2: lambda: np.asarray(values)[:0],
            3: lambda: np.asarray(values).ravel()[:1],
            4: lambda: np.zeros((2, 3)),
            5: lambda: np.array(["x", "y"], "S1"),
            6: lambda: np.full(np.shape(values), np.nan),
            7: lambda: np.full(np.shape(values), -1),
            8: lambda: np.full(np.shape(values), 2**40),
        }[kind]()


def damaged(path: Path, draw: random.Random) -> None:
    """Damages a file in one of the ways that fit it."""
    kind = path.suffix
    if kind == ".h5" and draw.randrange(3):
        hdf5_damage(path, draw)
        return
    ways: list[Callable[[bytes, random.Random], bytes]] = [bytes_damage]
    if kind in TEXT:
        ways += [word_damage, word_damage, word_damage]
    if kind == ".json":
        ways += [json_damage, json_damage, json_damage]
    path.write_bytes(draw.choice(ways)(path.read_bytes(), draw))
