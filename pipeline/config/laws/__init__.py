"""The laws whose factors multiply: every module of this folder is one (``pipeline/config/law.py``)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import get_args

from pipeline.config.law import LOOKS, MOST, Factor
from pipeline.errors import ConfigError, Problem


@dataclass(frozen=True)
class Law:
    """One law.

    Attributes:
        name: As the config says; the module's name.
        model: Its keys.
        functions: Plain functions of the module, which are compiled when called.
        value: The factor of a pair.
        bound: Its bound between two distances; None where it falls.
        looks: What ``value`` takes first, one of ``LOOKS``.
        count: Number of its parameters.
    """

    name: str
    model: type[Factor]
    functions: tuple[FunctionType, ...]
    value: Callable[..., float]
    bound: Callable[..., float] | None
    looks: tuple[str, ...]
    count: int

    @property
    def spatial(self) -> bool:
        """Whether it looks at distances."""
        return self.looks != ("angle",)

    @property
    def angular(self) -> bool:
        """Whether it looks at tuning angles."""
        return "angle" in self.looks


def _read(module: ModuleType) -> Law:
    """Takes a law out of its module.

    Raises:
        ConfigError: If the module is none.
    """
    name = module.__name__.rsplit(".", 1)[-1]
    own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
    models = [v for v in own if inspect.isclass(v) and issubclass(v, Factor)]
    functions = tuple(v for v in own if inspect.isfunction(v))
    value, bound = (vars(module).get(word) for word in ("value", "bound"))
    if len(models) != 1 or value not in functions:
        raise _no_law(module, "has not one class of Factor and a function value")
    keys = models[0].model_fields
    if "law" not in keys or get_args(keys["law"].annotation) != (name,):
        raise _no_law(module, f'the key law is not Literal["{name}"]')
    taken = tuple(inspect.signature(value).parameters)
    looks = max((look for look in LOOKS if taken[: len(look)] == look), key=len, default=())
    if not looks or len(taken) - len(looks) > MOST:
        shapes = "; ".join(", ".join(look) for look in LOOKS)
        raise _no_law(module, f"value takes {taken}, not first {shapes}, then at most {MOST}")
    if ("metric" in keys) == (looks == ("angle",)):
        raise _no_law(module, "the key metric belongs to laws that look at distances")
    if "knots" in looks and bound is None:
        raise _no_law(module, "a curve needs a function bound")
    return Law(name, models[0], functions, value, bound, looks, len(taken) - len(looks))


def _no_law(module: ModuleType, message: str) -> ConfigError:
    return ConfigError(Problem(str(module.__file__), message, "see docs/adding/law.md"))


def _all() -> tuple[Law, ...]:
    names = sorted(entry.name for entry in pkgutil.iter_modules(__path__))
    laws = [_read(importlib.import_module(f"{__name__}.{name}")) for name in names]
    return tuple(sorted(laws, key=lambda law: "knots" in law.looks))


LAWS = _all()
"""All laws by name, those of curves last. A law's place here is its code in kernels."""
_BY_MODEL = {law.model: law for law in LAWS}


def law_of(factor: Factor) -> Law:
    """Returns the law of a factor of the config."""
    return _BY_MODEL[type(factor)]
