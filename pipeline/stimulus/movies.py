"""Movies as distinct frames and which of them is shown in each bin.

A grating repeats after one period and a grey screen is one frame: only distinct frames are made and
filtered in space, a block at a time, so that no movie need stand in memory as a whole.
"""

from __future__ import annotations

import tokenize
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.stimuli import BIN, Field2D, Flash, Grating, Looming, Movie, MovieFile
from pipeline.errors import ConfigError, Problem
from pipeline.runtime import file_hash

BLOCK_BYTES = 24 << 20
"""Size of the frames made at once, as float64."""
LOOMING_RADIUS = 25.0
LOOMING_GROWTH = 0.75
"""Pixels, and pixels squared per frame, of BMTK's LoomingMovie."""


@dataclass(frozen=True)
class Condition:
    """One movie.

    Attributes:
        name: Names the condition in files and in the key of its random numbers.
        movie: The movie's config.
        field: The visual field.
        direction: Direction of drift in degrees, for gratings.
        file: The movie file, for movies from files.
    """

    name: str
    movie: Movie
    field: Field2D
    direction: float | None = None
    file: Path | None = None

    @property
    def bins(self) -> int:
        """Number of bins."""
        return round(self.movie.duration / BIN)

    @property
    def grey_bins(self) -> int:
        """Number of bins of grey screen before the picture."""
        return round(self.movie.grey / BIN)

    def content(self) -> dict[str, object]:
        """Returns what decides the frames, JSON-like; for a cache."""
        content = self.movie.model_dump(mode="json", exclude={"directions", "file"})
        digest = file_hash(self.file) if self.file else None
        field = self.field.model_dump(mode="json")
        return content | {"direction": self.direction, "file": digest, "field": field}

    def parameters(self) -> dict[str, object]:
        """Returns the movie's own numbers for the table of trials."""
        skipped = {"kind", "directions", "grey", "duration", "phase"}
        numbers = self.movie.model_dump(mode="json", exclude=skipped)
        return {"kind": self.movie.kind, "direction": self.direction, **numbers}


def conditions(movie: Movie, field: Field2D, file: Path | None) -> list[Condition]:
    """Returns the conditions of a stimulus in the order in which they are shown."""
    if isinstance(movie, Grating):
        return [Condition(f"direction_{d:g}", movie, field, d) for d in movie.directions]
    return [Condition(movie.kind, movie, field, file=file)]


def axes(condition: Condition) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the rows and the columns of pixels stand: float64, degrees, rising.

    Both ends of the field carry a pixel, as in BMTK's movies; row 0 is the bottom.
    """
    field = condition.field
    if condition.file:
        _, rows, columns = open_movie(condition.file).shape
    else:
        rows = int(field.height / field.degrees_per_pixel)
        columns = int(field.width / field.degrees_per_pixel)
    return np.linspace(0, field.height, rows), np.linspace(0, field.width, columns)


def frame_index(condition: Condition) -> np.ndarray:
    """Returns which distinct frame each bin shows: int64 [bins]; 0 is grey."""
    movie, grey, bins = condition.movie, condition.grey_bins, condition.bins
    shown = np.arange(bins) - grey  # bins since the picture began
    if isinstance(movie, Grating):
        # BMTK joins grey and grating so that the last grey frame takes the place of the first one.
        start = min(grey, 1)
        index = (shown - start) % _period(movie, bins) + 1
        return np.where(shown < start, 0, index)
    if isinstance(movie, MovieFile):
        index = np.floor(shown * movie.frame_rate / 1000 + 1e-9).astype(np.int64) + 1
        return np.where(shown < 0, 0, index)
    if isinstance(movie, Looming):
        return np.where(shown < 0, 0, shown + 1)
    if isinstance(movie, Flash):
        lit = (shown >= 0) & (shown < round(movie.lasts / BIN))
        return lit.astype(np.int64)
    return np.zeros(bins, np.int64)


def frame_blocks(condition: Condition) -> Iterator[np.ndarray]:
    """Yields all distinct frames in order, a block at a time.

    Yields:
        float64 [frames, rows, columns], contrast from -1 to 1, row 0 at the bottom.
    """
    rows, columns = axes(condition)
    shape = (len(rows), len(columns))
    yield np.zeros((1, *shape))
    count = int(frame_index(condition).max(initial=0))
    step = max(1, BLOCK_BYTES // (8 * shape[0] * shape[1]))
    for start in range(0, count, step):
        yield _frames(condition, start, min(start + step, count), shape)


def _period(movie: Grating, bins: int) -> int:
    """Frames until the grating repeats; all of them where the period is no whole number of bins."""
    period = 1000 / (movie.temporal_frequency * BIN)
    whole = round(period)
    return whole if whole and abs(period - whole) < 1e-9 * period else bins


def _frames(condition: Condition, start: int, stop: int, shape: tuple[int, int]) -> np.ndarray:
    movie = condition.movie
    if isinstance(movie, Grating):
        return _grating(condition, start, stop)
    if isinstance(movie, MovieFile):
        return _from_file(condition, start, stop)
    if isinstance(movie, Looming):
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        square = (rows - shape[0] / 2) ** 2 + (columns - shape[1] / 2) ** 2
        radius = np.arange(start, stop) * LOOMING_GROWTH % LOOMING_RADIUS**2
        return -(square <= radius[:, None, None]).astype(np.float64)
    return np.full((stop - start, *shape), movie.intensity)


def _grating(condition: Condition, start: int, stop: int) -> np.ndarray:
    """Frames of BMTK's own grating, which starts at 0: the phase moves it to the right time."""
    from bmtk.simulator.filternet.lgnmodel.movie import GratingMovie

    movie, field = condition.movie, condition.field
    first = start + min(condition.grey_bins, 1)
    seconds = BIN / 1000
    made = GratingMovie(field.height, field.width, 1 / seconds, y_dir="up").create_movie(
        t_max=(stop - start) * seconds,
        cpd=movie.spatial_frequency,
        temporal_f=movie.temporal_frequency,
        theta=condition.direction,
        phase=movie.phase - 360 * movie.temporal_frequency * first * seconds,
        contrast=movie.contrast,
        degrees_per_pixel=field.degrees_per_pixel,
    )
    return made.data[: stop - start]


def _from_file(condition: Condition, start: int, stop: int) -> np.ndarray:
    data = open_movie(condition.file)
    frames = np.asarray(data[start:stop], np.float64)
    if data.dtype == np.uint8:
        frames = frames / 127.5 - 1
    return frames[:, ::-1] if condition.movie.first_row == "top" else frames


_NUMPY_ERRORS = (
    OSError, ValueError, EOFError, SyntaxError, tokenize.TokenError, OverflowError,
    zipfile.BadZipFile,
)  # fmt: skip
"""What NumPy raises for a file that is not one of its own; the header is Python text."""


def open_movie(path: Path) -> np.ndarray:
    """Maps a movie file into memory.

    Raises:
        ConfigError: If it is no NumPy array [frames, rows, columns] of floats or bytes.
    """
    try:
        data = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NUMPY_ERRORS as error:
        text = " ".join(str(error).split())
        raise ConfigError(
            Problem(str(path), f"not a NumPy file ({text})", "save the array with numpy.save")
        ) from None
    if not isinstance(data, np.ndarray):
        raise ConfigError(Problem(str(path), "holds several arrays", "save one array as .npy"))
    if data.ndim != 3 or min(data.shape) < 1 or min(data.shape[1:]) < 2:
        message = f"has shape {list(data.shape)}; expected [frames, rows, columns]"
        raise ConfigError(Problem(str(path), message, "use at least 2 rows and columns"))
    if data.dtype != np.uint8 and data.dtype.kind != "f":
        message = f"holds {data.dtype}; expected floats or uint8"
        raise ConfigError(Problem(str(path), message, "convert it to contrast from -1 to 1"))
    return data


def check_movie(condition: Condition) -> None:
    """Reads a movie file through, frame by frame.

    Raises:
        ConfigError: If it is too short for the duration, or a value is no contrast.
    """
    if condition.file is None:
        return
    data, path = open_movie(condition.file), str(condition.file)
    needed = int(frame_index(condition).max(initial=0))
    if len(data) < needed:
        message = f"has {len(data)} frames; duration and frame_rate ask for {needed}"
        raise ConfigError(Problem(path, message, "shorten duration or give more frames"))
    if data.dtype.kind != "f":
        return
    for index, frame in enumerate(data[:needed]):
        # The negated form catches NaN.
        if not np.all(np.abs(frame) <= 1):
            message = f"frame {index} holds values that are no contrast from -1 to 1"
            raise ConfigError(Problem(path, message, "remove NaN, scale to -1 to 1"))
