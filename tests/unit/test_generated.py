"""Generated files agree with the schema they come from."""

from pathlib import Path

import pytest

from pipeline.config.docs import generated_files
from pipeline.config.docs_sources import unnamed_tables

ROOT = Path(__file__).resolve().parents[2]
FILES = generated_files()


@pytest.mark.parametrize("name", sorted(FILES))
def test_generated_file_is_current(name):
    assert (ROOT / name).read_text() == FILES[name], "run 'make docs'"


def test_every_table_and_mechanism_has_its_source_written_down():
    assert not unnamed_tables(ROOT), "name it in the SOURCES.md of its folder"


def test_a_table_without_a_source_is_seen(tmp_path):
    tables = tmp_path / "models/m/tables"
    tables.mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (tables / name).write_text("x\n1\n")
    (tables / "SOURCES.md").write_text("| Table | Source |\n|---|---|\n| `a.csv` | here |\n")
    assert unnamed_tables(tmp_path) == ["models/m/tables/b.csv"]
