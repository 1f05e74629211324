"""Filters and movie of a stimulus, read and checked; computes no rates."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.config.filters import UnitFilter, read_filters, require_filters
from pipeline.config.load import Resolved
from pipeline.config.stimuli import FilterNetStimulus, MovieFile
from pipeline.errors import ConfigError, Problem
from pipeline.stimulus.movies import Condition, check_movie, conditions


def stimulus_filters(resolved: Resolved, name: str) -> dict[str, UnitFilter]:
    """Reads the filters of a stimulus and checks that its jitter keeps the order of the bumps.

    Raises:
        ConfigError: If the table is wrong or the jitter too large.
    """
    stimulus = resolved.model.stimuli[name]
    filters = read_filters(resolved.path(stimulus.filters))
    low, high = 1 - stimulus.jitter, 1 + stimulus.jitter
    for unit in filters.values():
        delays = unit.delays
        crossed = unit.kpeaks[0] * high >= unit.kpeaks[1] * low
        crossed |= delays[0] > 0 and delays[0] * high > delays[1] * low
        if crossed or low <= 0:
            where = resolved.origin(("stimuli", name, "jitter"))
            message = f"jitter {stimulus.jitter:g} can change the order of the bumps of {unit.name}"
            raise ConfigError(Problem(where, message, "choose a smaller jitter"))
    return filters


def stimulus_conditions(resolved: Resolved, name: str) -> list[Condition]:
    """Returns the conditions of a stimulus, its movie file checked.

    Raises:
        ConfigError: If the movie file does not fit.
    """
    stimulus: FilterNetStimulus = resolved.model.stimuli[name]
    movie = stimulus.movie
    file = resolved.path(movie.file) if isinstance(movie, MovieFile) else None
    shown = conditions(movie, stimulus.field, file)
    check_movie(shown[0])
    return shown


def check_stimulus(resolved: Resolved, name: str, types: Iterable[str]) -> None:
    """Reads filters and movie as the stage would.

    Args:
        resolved: The model.
        name: Key under ``stimuli``.
        types: Unit types of the population, as far as they are known.

    Raises:
        ConfigError: With what is wrong.
    """
    stimulus = resolved.model.stimuli[name]
    filters = stimulus_filters(resolved, name)
    require_filters(resolved.path(stimulus.filters), filters, types, stimulus.nodes)
    stimulus_conditions(resolved, name)
