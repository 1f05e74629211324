"""CSV tables of a model, read as text so that every complaint can name its line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pipeline.errors import ConfigError, Problem


def read_csv(path: Path) -> pd.DataFrame:
    """Reads a CSV as text, one row per line.

    Raises:
        ConfigError: If it is not UTF-8 or rows differ in length.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)
    except UnicodeDecodeError:
        raise ConfigError(Problem(str(path), "not UTF-8", "save it as UTF-8")) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(Problem(str(path), f"not a CSV table: {text}")) from None
