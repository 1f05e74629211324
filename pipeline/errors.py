"""The whole error vocabulary: every message says where, what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One finding of a check.

    Attributes:
        where: File with line, or the id of a cell, edge or key.
        message: What was found and what was expected.
        hint: What to do about it; may be empty.
        level: ``"error"`` stops the run, ``"warning"`` is only shown.
    """

    where: str
    message: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text} ({self.hint})" if self.hint else text


class PipelineError(Exception):
    """Base of all errors a user can meet; carries one or more problems.

    Args:
        problems: A message, a Problem, or several Problems.
    """

    exit_code = 2

    def __init__(self, problems: str | Problem | Iterable[Problem]):
        if isinstance(problems, str):
            problems = [Problem("", problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems: list[Problem] = list(problems)
        super().__init__("\n".join(str(p) for p in self.problems))


class ConfigError(PipelineError):
    """A model, variant or table file says something that cannot be meant."""


class MechanismError(PipelineError):
    """NMODL sources that are missing, doubled or do not compile."""


class MorphologyError(PipelineError):
    """A morphology file that cannot be read or used."""


class CircuitError(PipelineError):
    """SONATA files that are missing, damaged or inconsistent."""


class ToolError(PipelineError):
    """A compiler, MPI library or other program that is not installed."""


class DiskError(PipelineError):
    """A file system that is full."""


class SimulationError(PipelineError):
    """A simulation that failed while it ran."""

    exit_code = 1
