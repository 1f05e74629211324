"""Generated files agree with the schema they come from."""

from pathlib import Path

import pytest

from pipeline.config.docs import generated_files

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", sorted(generated_files()))
def test_generated_file_is_current(name):
    assert (ROOT / name).read_text() == generated_files()[name], "run 'make docs'"
