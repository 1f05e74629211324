"""Schema of ``psp``: paired recordings in silico, pathway by pathway."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.quantity import (
    Celsius,
    Millimolar,
    Milliseconds,
    Name,
    RelativeFile,
    Strict,
    TimeStep,
)
from pipeline.config.simulation import Gain

PSP_COLUMNS = ("name", "pre", "post", "hold", "source")
"""Columns that a table of pathways must have."""
PSP_FEATURES = {
    "psp": "mV", "synapses": "", "cv": "", "failures": "", "latency": "ms", "rise": "ms",
    "decay": "ms",
}  # fmt: skip
"""What is measured of a pathway; a column of the name holds the published mean, ``_sd`` its sd."""


class Psp(Strict):
    """Which connections are recorded from, and how (docs/psp.md)."""

    edges: Name = Field(description="Edges whose synapses have release.")
    targets: RelativeFile = Field(
        description="CSV, a row per pathway: name, pre and post (m-types or patterns, parted by "
        "blanks), hold (mV), source; as far as known edges, pre_etype, post_etype, dx, dy, dz "
        "(largest distances of the somata, um), least_synapses, most_synapses, ttx (1: sodium "
        "channels blocked), psp (mV), synapses, cv, failures, latency, rise, decay (ms), each "
        "with _sd."
    )
    pairs: int = Field(50, ge=1, le=100_000, description="Connections recorded per pathway.")
    trials: int = Field(35, ge=2, le=100_000, description="Presynaptic spikes per connection.")
    spike: Milliseconds = Field(800.0, description="Time of the presynaptic spike.")
    after: Milliseconds = Field(100.0, description="Recorded time after it.")
    dt: TimeStep = 0.025
    every: TimeStep = Field(0.1, description="Interval of the recorded voltage.")
    celsius: Celsius = 34.0
    calcium: Millimolar = Field(2.0, description="Extracellular, for release.")
    seed: int | None = Field(None, ge=0, description="Default: the model's seed.")
    ttx: list[Name] = Field(
        default_factory=list, description="Mechanisms left out of cells in pathways with ttx."
    )
    gains: list[Gain] = Field(default_factory=list, description="As of a simulation.")
    gain_tables: list[RelativeFile] = Field(
        default_factory=list, description="CSV with columns edges, source, target, factor."
    )
    time_limit: float = Field(600.0, gt=0, description="s per connection; beyond it: no value.")
