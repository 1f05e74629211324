"""Rates of units that watch a movie: BMTK's FilterNet cells, with shared work done once.

Cells, kernels, the temporal convolution and the transfer functions are BMTK's own objects. Only the
product of movie and spatial kernels is taken out of them: one sparse product per block of frames for
all units, instead of one pass over the movie per unit and direction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from pipeline.config.filters import DUAL
from pipeline.config.stimuli import BIN
from pipeline.errors import ConfigError, Problem
from pipeline.stimulus.movies import Condition, axes, frame_blocks, frame_index
from pipeline.stimulus.units import Unit

_TAPS = 1000
"""Taps that hold every kernel: BMTK's 600 and the longest delay."""


class _Node(dict):
    """A unit as BMTK's cell loader wants it: keys and attributes."""

    predefined_jitter = False  # drawn before, by the unit's own stream
    non_dom_params = None

    def __getattr__(self, name: str):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def build_cell(unit: Unit):
    """Builds the FilterNet cell of one unit by BMTK's default cell loader.

    Raises:
        ConfigError: If BMTK cannot build a cell from these numbers.
    """
    from bmtk.simulator.filternet.default_setters.cell_loaders import default_cell_loader

    model = str(unit["model"])
    template = model if model in DUAL else f"{model}_unit"
    try:
        with _vectorised_bumps():
            return default_cell_loader(_Node(unit), ("lgnmodel", template), None)
    except Exception as error:  # BMTK raises bare exceptions
        what = " ".join(str(error).split()) or type(error).__name__
        where = f"unit at x {unit['x']:g}, y {unit['y']:g}"
        message = f"BMTK cannot build its {model} cell ({what})"
        raise ConfigError(Problem(where, message, "check its row of the filter table")) from None


def bump(times: np.ndarray, centre: np.ndarray, spacing: float) -> np.ndarray:
    """Raised cosine on a logarithmic time axis (Pillow et al. 2005, J Neurosci 25:11003).

    Args:
        times: float64 [taps]. Logarithm of time.
        centre: float64 [taps]. Logarithm of the time of the peak.
        spacing: Half of the half-width, in the same logarithm.
    """
    angle = (times - centre) * np.pi / spacing / 2
    return (np.cos(np.clip(angle, -np.pi, np.pi)) + 1) / 2


@contextlib.contextmanager
def _vectorised_bumps() -> Iterator[None]:
    """Lends BMTK ``bump`` for its own function, whose loop in Python takes 3/4 of all time."""
    from bmtk.simulator.filternet.lgnmodel import fitfuns

    own, fitfuns.ff = fitfuns.ff, bump
    try:
        yield
    finally:
        fitfuns.ff = own


class FilterBank:
    """Filters of a block of units on the grid of one kind of movie.

    Args:
        units: Numbers of the units.
        condition: Any condition of the stimulus; its grid and length count.

    Raises:
        ConfigError: If a unit cannot be built or sees nothing of the field.
    """

    def __init__(self, units: Sequence[Unit], condition: Condition):
        from bmtk.simulator.filternet.lgnmodel.cursor import SeparableLNUnitCursor

        rows, columns = axes(condition)
        canvas = _movie(np.empty((0, len(rows), len(columns))), condition.bins, rows, columns)
        self._bins = condition.bins
        self._cells, self._kernels = [], []
        values, pixels, counts = [], [], []
        for unit in units:
            cell = build_cell(unit)
            self._cells.append(cell)
            for part in _parts(cell):
                cursor = SeparableLNUnitCursor(part, canvas)
                kernel = cursor.spatial_kernel
                if not np.all(np.isfinite(kernel.kernel)):
                    where = f"unit at x {unit['x']:g}, y {unit['y']:g}"
                    message = "its receptive field lies outside the visual field"
                    raise ConfigError(Problem(where, message, "move it, or widen the field"))
                self._kernels.append(cursor.temporal_kernel)
                values.append(kernel.kernel)
                pixels.append(kernel.row_inds * len(columns) + kernel.col_inds)
                counts.append(len(kernel.kernel))
        starts = np.concatenate([[0], np.cumsum(counts)])
        shape = (len(counts), len(rows) * len(columns))
        entries = (np.concatenate(values), np.concatenate(pixels), starts)
        self._spatial = sparse.csr_array(entries, shape=shape)

    def rates(self, condition: Condition) -> np.ndarray:
        """Evaluates all units on one condition.

        Args:
            condition: Of the grid and length that the bank was made for.

        Returns:
            float64 [units, bins], Hz; equal to BMTK's ``cell.evaluate(movie, separable=True)``.
        """
        drive = [
            self._spatial @ np.ascontiguousarray(block.reshape(len(block), -1).T)
            for block in frame_blocks(condition)
        ]
        drive = np.concatenate(drive, axis=1)
        index = frame_index(condition)
        rates = np.empty((len(self._cells), self._bins))
        part = 0
        for row, cell in enumerate(self._cells):
            parts = _parts(cell)
            linear = [
                _in_time(drive[part + i][index], self._kernels[part + i]) for i in range(len(parts))
            ]
            # The closures take arrays; BMTK calls them bin by bin.
            rates[row] = cell.transfer_function.closure(*linear)
            part += len(parts)
        return rates


def _parts(cell) -> list:
    """Returns the linear parts of a cell: its two subunits, or itself."""
    return getattr(cell, "lnunit_list", [cell])


def _movie(data: np.ndarray, bins: int, rows: np.ndarray, columns: np.ndarray):
    from bmtk.simulator.filternet.lgnmodel.movie import Movie

    times = np.arange(max(bins, _TAPS)) * (BIN / 1000)
    return Movie(data, row_range=rows, col_range=columns, t_range=times, y_dir="up")


def _in_time(drive: np.ndarray, kernel) -> np.ndarray:
    """Convolves one unit's spatial response with its temporal kernel, as BMTK's cursor does it."""
    from bmtk.simulator.filternet.lgnmodel.cursor import SeparableKernelCursor
    from bmtk.simulator.filternet.lgnmodel.kernel import Kernel2D

    pixel = Kernel2D([0], [0], [0], [0], [1.0])
    movie = _movie(drive[:, None, None], len(drive), np.zeros(1), np.zeros(1))
    return SeparableKernelCursor(pixel, kernel, movie).evaluate()[1]
