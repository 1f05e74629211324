"""Stop criteria of NeuroTS that are quick to copy (needs NeuroTS, so it is imported late)."""

from __future__ import annotations

from neurots.generate.algorithms.common import TMDStop


class FlatStop(TMDStop):
    """Five numbers. NeuroTS copies them deeply at every step, a quarter of its time."""

    def __deepcopy__(self, memo: dict) -> FlatStop:
        return FlatStop(self.bif_id, self.bif, self.term_id, self.term, self.ref)


def with_flat_stop(grower) -> None:
    """Exchanges the stop criterion of a tree's first section; all later ones are its copies.

    Args:
        grower: A ``neurots.generate.tree.TreeGrower`` that has not grown yet.
    """
    for section in grower.active_sections:
        section.stop_criteria["TMD"] = FlatStop(**vars(section.stop_criteria["TMD"]))
