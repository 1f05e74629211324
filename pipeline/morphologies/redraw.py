"""When a grown axon is drawn again: it misses the layers or the width its m-type is known for.

A reconstruction that does not show what its type is known for would not be taken as an exemplar; a grown
axon that does not is grown anew, a bounded number of times, each under its own draws. Later attempts aim
at the type's layers and width, where the first aims at those of the cell that lent its axon. Dendrites
and soma are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.cells.morphology import AXON
from pipeline.config.morphologies import REACHED
from pipeline.morphologies.exemplars import Exemplar, reach
from pipeline.morphologies.measure import across, in_layers
from pipeline.morphologies.shape import Shape

WIDER = 1.25
"""An axon may be so many times as wide as its row asks for (source: assumed)."""


@dataclass(frozen=True)
class Shortfall:
    """What an axon misses.

    Attributes:
        amount: Sum of the missing fractions; 0 if it misses nothing.
        text: For the findings.
    """

    amount: float
    text: str


def shortfall(shape: Shape, row: Exemplar, layers: Mapping[str, float], depth: float) -> Shortfall:
    """Holds an axon against its row of the table.

    Args:
        shape: The fitted cell.
        row: Layers in ``axon_top`` and ``axon_bottom`` want 100 um of axon each; ``axon_width`` wants
            90 % of the axon within it, or a quarter more.
        layers: Thickness by layer from the pia down, um.
        depth: Of the soma below the pia, um.
    """
    if not shape.of_kind(AXON):
        return Shortfall(0.0, "")
    lengths = {
        r["layer"]: float(r["length"])
        for r in in_layers(shape, layers, depth)
        if r["kind"] == "axon"
    }
    amount, said = 0.0, []
    for layer in dict.fromkeys(x for x in (row.axon_top, row.axon_bottom) if x in layers):
        found = lengths.get(layer, 0.0)
        if found < REACHED:
            amount += 1 - found / REACHED
            said.append(f"{found:.0f} um in {layer}")
    if row.axon_width:
        width = across(shape.of_kind(AXON))
        if width > WIDER * row.axon_width:
            amount += width / (WIDER * row.axon_width) - 1
            said.append(f"{width:.0f} um wide where {row.axon_width:.0f} are asked for")
    return Shortfall(amount, ", ".join(said))


def aimed(cell: dict, row: Exemplar, layers: Mapping[str, float], depth: float) -> dict:
    """Returns distributions whose axons are to lie where a row wants them.

    Depths above the soma are scaled to the row's top, those below to its bottom; the width is at most
    the row's. Barcodes, and so lengths and branching, stay.
    """
    top = reach(row.axon_top, dict(layers), depth)
    bottom = reach(row.axon_bottom, dict(layers), depth)
    trees = []
    for tree in cell["trees"]:
        if tree["type"] == "axon":
            high, low = tree["depth"][-1], tree["depth"][0]
            up = top / high if top is not None and top > 0 and high > 0 else 1.0
            down = bottom / low if bottom is not None and bottom < 0 and low < 0 else 1.0
            depths = [y * (up if y > 0 else down) for y in tree["depth"]]
            width = min(tree["width"], row.axon_width or tree["width"])
            tree = tree | {"depth": depths, "width": width}
        trees.append(tree)
    return cell | {"trees": trees}
