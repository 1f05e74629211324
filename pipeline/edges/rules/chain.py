"""The plain functions of ``pipeline/config/laws``, compiled into two that find a law by its code.

Numba calls no function by its number, so each law is a link that knows the next one. Links are closures,
which the disk cache cannot tell apart: they are not kept there, but within the kernels that call them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from numba import njit
from numba.extending import register_jitable

from pipeline.config.law import fold
from pipeline.config.laws import LAWS, Law

_link = njit(nogil=True, no_cfunc_wrapper=True, no_cpython_wrapper=True, forceinline=True)


def _value_link(place: int, law: Law, rest: Callable) -> Callable:
    """``value`` of one law: code, squared distance (um2), angle (deg), knots, parameters to the factor."""
    value, n = law.value, law.count

    def of_square(code, square, angle, p):
        if code == place:
            return value(square, *p[:n])
        return rest(code, square, angle, p)

    def of_distance(code, square, angle, p):
        if code == place:
            return value(math.sqrt(square), *p[:n])
        return rest(code, square, angle, p)

    def of_angle(code, square, angle, p):
        if code == place:
            return value(angle, *p[:n])
        return rest(code, square, angle, p)

    def of_both(code, square, angle, p):
        if code == place:
            return value(math.sqrt(square), angle, *p[:n])
        return rest(code, square, angle, p)

    def of_knots(code, square, knots, p):
        if code == place:
            return value(math.sqrt(square), knots, *p[:n])
        return rest(code, square, knots, p)

    links = {
        ("square",): of_square, ("distance",): of_distance, ("angle",): of_angle,
        ("distance", "angle"): of_both, ("distance", "knots"): of_knots,
    }  # fmt: skip
    return _link(links[law.looks])


def _bound_link(place: int, law: Law, rest: Callable) -> Callable:
    """``bound`` of one law between two squared distances (um2)."""
    bound, n = law.bound, law.count

    def of_square(code, low, high, upper, p):
        if code == place:
            return bound(low, high, upper, *p[:n])
        return rest(code, low, high, upper, p)

    def of_distance(code, low, high, upper, p):
        if code == place:
            return bound(math.sqrt(low), math.sqrt(high), upper, *p[:n])
        return rest(code, low, high, upper, p)

    def of_angle(code, low, high, upper, p):
        if code == place:
            return bound(*p[:n])
        return rest(code, low, high, upper, p)

    def of_knots(code, low, high, upper, knots, p):
        if code == place:
            return bound(math.sqrt(low), math.sqrt(high), upper, knots, *p[:n])
        return rest(code, low, high, upper, knots, p)

    links = {
        ("square",): of_square, ("distance",): of_distance, ("angle",): of_angle,
        ("distance", "angle"): of_distance, ("distance", "knots"): of_knots,
    }  # fmt: skip
    return _link(links[law.looks])


def _values(laws: dict[int, Law], curves: bool) -> Callable:
    if curves:
        chain = _link(lambda code, square, knots, p: 1.0)
    else:
        chain = _link(lambda code, square, angle, p: 1.0)
    for place, law in reversed(laws.items()):
        chain = _value_link(place, law, chain)
    return chain


def _bounds(laws: dict[int, Law], curves: bool) -> Callable:
    """Laws without a ``bound`` of their own fall: they are largest at the near end and at the angle 0."""
    if curves:
        chain = _link(lambda code, low, high, upper, knots, p: 1.0)
    else:
        chain = _link(
            lambda code, low, high, upper, p: value_of(code, low if upper else high, 0.0, p)
        )
    for place, law in reversed(laws.items()):
        if law.bound is not None:
            chain = _bound_link(place, law, chain)
    return chain


for _function in (fold, *(function for law in LAWS for function in law.functions)):
    register_jitable(forceinline=True)(_function)
CURVES = sum("knots" not in law.looks for law in LAWS)
_PLAIN = {place: law for place, law in enumerate(LAWS) if place < CURVES}
_CURVED = {place: law for place, law in enumerate(LAWS) if place >= CURVES}
value_of, curve_of = _values(_PLAIN, False), _values(_CURVED, True)
bound_of, curve_bound_of = _bounds(_PLAIN, False), _bounds(_CURVED, True)
