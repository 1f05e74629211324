"""How many cells each type gets at a scale: exact, by largest remainders."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def apportion(sizes: Sequence[float], scale: float = 1.0, at_least: int = 0) -> list[int]:
    """Scales numbers of cells so that the total is exact and each lies within one of its share.

    The total is ``scale * sum(sizes)`` rounded half up. Every type gets the whole part of its
    share of it; what is left goes to the largest remainders, ties to the earlier type (Hamilton's
    method). All arithmetic is exact: the scale is the decimal number as written.

    Args:
        sizes: Cells per type before scaling; whole numbers, or volumes times densities.
        scale: Fraction above 0, at most 1.
        at_least: Types with at least this size get at least so many cells; the others share
            the rest of the total. The total grows when these alone exceed it.

    Returns:
        Cells per type.
    """
    factor = Fraction(repr(float(scale)))
    quotas = [Fraction(size) * factor for size in sizes]
    total = int(sum(quotas, Fraction(0)) + Fraction(1, 2))
    fixed: dict[int, int] = {}
    while True:
        free = [index for index in range(len(sizes)) if index not in fixed]
        left = max(0, total - sum(fixed.values()))
        shares = _shares([quotas[index] for index in free], left)
        low = {
            index: at_least
            for index, share in zip(free, shares, strict=True)
            if share < at_least <= sizes[index]
        }
        if not low:
            counts = dict(zip(free, shares, strict=True)) | fixed
            return [counts[index] for index in range(len(sizes))]
        fixed |= low


def _shares(quotas: list[Fraction], total: int) -> list[int]:
    weight = sum(quotas, Fraction(0))
    if not weight:
        return [0] * len(quotas)
    exact = [quota * total / weight for quota in quotas]
    counts = [int(share) for share in exact]
    order = sorted(range(len(exact)), key=lambda index: (counts[index] - exact[index], index))
    for index in order[: total - sum(counts)]:
        counts[index] += 1
    return counts


def apportion_nested(
    sizes: Sequence[float], groups: Sequence[Sequence[str]], scale: float = 1.0
) -> list[int]:
    """Scales numbers of cells so that the totals of nested groups come out right, too.

    From the whole down to the types, each group passes on what it got: every member the whole part
    of its own share ``scale * size``, then one more to the largest remainders, ties to the earlier
    one. As the whole parts of the members never exceed what the group has, and their ceilings
    never fall short of it, every total at every level is its share rounded down or up; the whole is
    rounded half up.

    Args:
        sizes: Cells per type before scaling.
        groups: Names of the groups of each type, coarse to fine; all of one length.
        scale: Fraction above 0, at most 1.

    Returns:
        Cells per type.
    """
    factor = Fraction(repr(float(scale)))
    quotas = [Fraction(size) * factor for size in sizes]
    paths = [(*group, str(index)) for index, group in enumerate(groups)]
    counts = [0] * len(sizes)

    def share(members: list[int], level: int, total: int) -> None:
        parts: dict[str, list[int]] = {}
        for index in members:
            parts.setdefault(paths[index][level], []).append(index)
        exact = [sum((quotas[i] for i in part), Fraction(0)) for part in parts.values()]
        got = [int(quota) for quota in exact]
        order = sorted(range(len(got)), key=lambda k: (got[k] - exact[k], k))
        for k in order[: total - sum(got)]:
            got[k] += 1
        for part, number in zip(parts.values(), got, strict=True):
            if level + 1 == len(paths[part[0]]):
                counts[part[0]] = number
            else:
                share(part, level + 1, number)

    if sizes:
        share(list(range(len(sizes))), 0, int(sum(quotas, Fraction(0)) + Fraction(1, 2)))
    return counts
