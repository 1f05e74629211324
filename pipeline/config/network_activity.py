"""Schema of ``analysis.network``: what a population did, run by run."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.quantity import Milliseconds, Name, Strict, TimeStep


class NetworkActivity(Strict):
    """Rates by type, raster by depth, spectra, synchrony, coupling and answers to events."""

    nodes: Name = Field(description="Population of cells with x, y, z.")
    runs: list[Name] = Field(
        default_factory=list, description="Keys under simulation; default: all, sweeps included."
    )
    by: list[Name] = Field(
        default=["mtype", "etype", "layer", "synapse_class"],
        min_length=1,
        description="Attributes by which rates are given.",
    )
    skip: Milliseconds = Field(200.0, description="Time left out at the start of a run.")
    bin: TimeStep = Field(10.0, description="Of counts for synchrony and coupling, ms.")
    events: list[Milliseconds] = Field(
        default_factory=list,
        description="Times to which answers are aligned; default: those of volleys.",
    )
    window: list[Milliseconds] = Field(
        default=[50.0, 150.0],
        min_length=2,
        max_length=2,
        description="Before and after an event.",
    )

    @model_validator(mode="after")
    def _some_window(self) -> NetworkActivity:
        if not self.window[1]:
            raise ValueError("the window ends with the event; give some time after it")
        return self
