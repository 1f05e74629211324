"""Opens the wheel of an outside package, whose files are converted into tables."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from pipeline.errors import ConfigError, Problem


@contextmanager
def open_wheel(wheel: str | Path, version: str) -> Iterator[zipfile.ZipFile]:
    """Yields the archive.

    Args:
        wheel: The ``.whl`` file.
        version: What is expected, for messages.

    Raises:
        ConfigError: If it is no archive, or what the block reads from it is something else.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        if getattr(error, "filename", None) not in (None, str(wheel)):
            raise  # of a file that is written
        text = getattr(error, "strerror", None) or error
        raise ConfigError(Problem(str(wheel), f"no wheel: {text}", f"expected {version}")) from None
    except (
        ElementTree.ParseError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
    ) as error:
        message = f"holds something else: {type(error).__name__} {error}"
        raise ConfigError(Problem(str(wheel), message, f"expected {version}")) from None
