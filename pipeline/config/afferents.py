"""Schema of ``kind: afferents``: synapses of a piece of tissue whose sources were cut off."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.quantity import Name, RelativeFile, Strict
from pipeline.config.touches import Physiology

AFFERENT_COLUMNS = (
    "pre", "post", "probability", "synapses_per_connection", "synapses_sd", "source",
)  # fmt: skip


class AfferentEdges(Strict):
    """Connections that the whole tissue has and this circuit lacks, from virtual nodes."""

    kind: Literal["afferents"]
    source: Name = Field(description="Virtual nodes, one per cell of the whole tissue, by m-type.")
    target: Name = Field(description="Placed cells with morphologies.")
    less: Name | None = Field(
        None, description="Edges of the circuit; what a cell gets through them is taken off."
    )
    pathways: RelativeFile = Field(
        description="CSV: pre, post (m-types), probability (of any pair in the tissue), "
        "synapses_per_connection, synapses_sd, source."
    )
    physiology: Physiology
