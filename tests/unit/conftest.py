"""Fixtures of the unit tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))


@pytest.fixture
def ring(tmp_path):
    """The paths of a freshly written small circuit."""
    from ring import make_ring

    return make_ring(tmp_path / "ring")
