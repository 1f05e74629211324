"""Cells dealt to ranks: every one once, evenly, alike; and what a cell is taken to be made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_model import SWC

from pipeline.cells.description import CellDescription
from pipeline.cells.morphology import read_morphology
from pipeline.config.emodel import EModel
from pipeline.config.schema import OddLength
from pipeline.simulation.balance import deal, membrane_parts, spread

WORK = st.lists(st.floats(0, 1e6), max_size=60).map(np.array)


def deal_naively(work: np.ndarray, ranks: int) -> list[int]:
    """Heaviest first, each to whoever has least, the first of equals."""
    held, dealt = [0.0] * ranks, [-1] * len(work)
    for cell in sorted(range(len(work)), key=lambda c: (-work[c], c)):
        dealt[cell] = held.index(min(held))
        held[dealt[cell]] += work[cell]
    return dealt


@given(WORK, st.integers(1, 9))
def test_cells_are_dealt_as_by_a_list_of_ranks(work, ranks):
    assert deal(work, ranks).tolist() == deal_naively(work, ranks)


@given(WORK.filter(len), st.integers(1, 9))
def test_the_busiest_rank_has_at_most_the_mean_and_its_last_cell(work, ranks):
    held = np.bincount(deal(work, ranks), work, minlength=ranks)
    assert held.sum() == pytest.approx(work.sum())
    assert held.max() <= work.sum() / ranks + work.max() * (1 - 1 / ranks) + 1e-6


@given(st.integers(0, 40), st.integers(1, 9))
def test_equal_cells_go_round_in_turn(cells, ranks):
    assert deal(np.ones(cells), ranks).tolist() == [cell % ranks for cell in range(cells)]


def test_work_is_dealt_more_evenly_than_in_turn():
    work = np.tile([10.0, 1.0], 50)
    assert spread(work, np.arange(100) % 2, 2) == pytest.approx(5.5 / 10)
    assert spread(work, deal(work, 2), 2) == 1.0
    assert spread(np.zeros(3), np.arange(3), 3) == 1.0
    assert spread(np.ones(2), deal(np.ones(2), 4), 4) == 0.5, "two ranks have nothing to do"


def test_a_cell_is_its_compartments_and_the_mechanisms_in_each(tmp_path):
    (tmp_path / "cell.swc").write_text(SWC)
    passive = {"all": {"Ra": 100, "cm": 1, "g_pas": 1e-4, "e_pas": -60}}
    mechanisms = {"all": {"Ih": {}}, "soma": {"NaTg": {}, "Ih": {}}, "dend": {"NaTg": {}, "Im": {}}}
    stored = {"schema": 1, "name": "E", "source": "none"}
    emodel = EModel.model_validate(stored | {"passive": passive, "mechanisms": mechanisms})
    cell = CellDescription(
        read_morphology(tmp_path / "cell.swc"), emodel, OddLength(rule="odd_length", length=2.0)
    )
    # Soma: 1 compartment, 2 mechanisms. Dendrites of 10, 5.8 and 7 um: 5, 3 and 3, with 3 each.
    assert membrane_parts(cell) == (12.0, 2.0 + 11 * 3)
    passive_cell = CellDescription(cell.morphology, emodel, cell.discretisation, "passive")
    assert membrane_parts(passive_cell) == (12.0, 0.0)
