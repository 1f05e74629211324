"""Schema of ``analysis.touches``: what edges found by touch are held beside."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.quantity import Name, RelativeFile, Strict

RECORDED_COLUMNS = ("name", "pre", "post", "synapses", "sd", "source")
TARGET_COLUMNS = ("pre", "post", "probability", "synapses_per_connection", "synapses_sd", "source")


class TouchTargets(Strict):
    """Published connectivity by pathway beside what touch detection and pruning gave."""

    edges: Name = Field(description="Edges of kind touches.")
    pathways: RelativeFile = Field(
        description="CSV: pre, post (m-types), probability (of all pairs of a column), "
        "synapses_per_connection, synapses_sd, source."
    )
    recorded: RelativeFile | None = Field(
        None,
        description="CSV: name, pre, post (m-types, parted by blanks), synapses (per connection), "
        "sd, source; counted in recorded pairs.",
    )
    least: int = Field(
        10,
        ge=1,
        description="A pathway is judged if its published probability makes so many connections "
        "among the pairs that are there.",
    )
