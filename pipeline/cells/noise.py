"""Random streams of stochastic channels: keyed by cell, section and segment, never by rank."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import MechanismError, Problem

_SEGMENT_BITS, _SECTION_BITS = 12, 20


@dataclass(frozen=True)
class NoiseKey:
    """Who a cell is, for its channels' random numbers.

    Attributes:
        seed: The run's seed.
        population: Node population.
        node_id: Id of the cell in it.
    """

    seed: int
    population: str
    node_id: int


def stream_ids(key: NoiseKey, mechanism: str, section: int, segment: int) -> tuple[int, int, int]:
    """Returns the three 32-bit ids of a Random123 stream (Salmon et al. 2011, SC'11).

    The first is the cell, the second its place, the third a hash of seed, population and mechanism:
    two places of a population never share a stream.

    Raises:
        MechanismError: If an id has no room in its bits.
    """
    if section >= 1 << _SECTION_BITS or segment >= 1 << _SEGMENT_BITS or key.node_id >= 1 << 32:
        place = f"cell {key.node_id}, section {section}, segment {segment}"
        message = "no random stream of a channel for so large an id"
        raise MechanismError(Problem(place, message, "use a coarser discretisation"))
    text = f"channels/{key.seed}/{key.population}/{mechanism}"
    word = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return key.node_id, section << _SEGMENT_BITS | segment, int.from_bytes(word, "little")


def key_channels(sections: Sequence[Any], mechanisms: Iterable[str], key: NoiseKey) -> None:
    """Gives every stochastic channel of a cell its stream and the area it sits on.

    A mechanism is stochastic when it has ``RANDOM rng``; it counts its channels from ``surface``.

    Args:
        sections: NEURON sections by section id, with their mechanisms.
        mechanisms: Names of those that may be stochastic.
        key: Who the cell is.
    """
    for name in sorted(set(mechanisms)):
        having = [index for index, sec in enumerate(sections) if sec.has_membrane(name)]
        if not having or not hasattr(getattr(sections[having[0]](0.5), name), "rng"):
            continue
        for index in having:
            for number, segment in enumerate(sections[index]):
                mechanism = getattr(segment, name)
                mechanism.surface = segment.area()
                mechanism.rng.set_ids(*stream_ids(key, name, index, number))
