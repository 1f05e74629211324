"""Schema of ``analysis.responses``: rates and tuning of a run's cells beside recorded ones."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.quantity import Microns, Milliseconds, Name, RelativeFile, Strict, Text

Window = tuple[Milliseconds, Milliseconds]


class Responses(Strict):
    """Spontaneous and evoked rates, tuning and spectra of one run, and how they are judged."""

    simulation: Name = Field(description="Run whose spikes are judged.")
    nodes: Name = Field(description="Node population, or the node set to judge.")
    stimulus: Name | None = Field(
        None, description="Stimulus whose trials.csv says what was shown; default: the run's own."
    )
    radius: Microns | None = Field(
        None, description="Only cells this near the axis (x, z) count: rims lack neighbours."
    )
    by: Name = Field("cell_class", description="Attribute whose values are the judged classes.")
    layer: Name = Field("layer", description="Attribute whose values get a spectrum each.")
    evoked: Window = Field((500.0, 2500.0), description="From, to; ms of each trial.")
    spontaneous: Window = Field((100.0, 500.0), description="From, to; ms of each trial.")
    grey: Milliseconds | None = Field(
        None, description="Grey screen before the picture; where the trials do not say."
    )
    recorded: RelativeFile | None = Field(
        None,
        description="CSV of recorded quantiles: class, quantity, n, mean, p0 ... p100, source.",
    )
    published_model: RelativeFile | None = Field(
        None, description="CSV of another model's quantiles, with its similarity to the recorded."
    )
    units: RelativeFile | None = Field(
        None, description="Recorded units one by one (OSI_DSI_neuropixels file of the Allen "
        "Institute); gives exact similarities."
    )  # fmt: skip
    seeds: RelativeFile | None = Field(
        None,
        description="CSV of sonatina compare --seeds (name, quantity, sd): the spread over seeds, shown "
        "beside the medians.",
    )
    similar: list[Text] = Field(
        default_factory=list,
        description="Classes whose OSI and DSI must be as near the recorded as the published model.",
    )

    @model_validator(mode="after")
    def _windows(self) -> Responses:
        for name in ("evoked", "spontaneous"):
            start, stop = getattr(self, name)
            if not start < stop:
                raise ValueError(f"{name} runs from {start:g} to {stop:g} ms; it must rise")
        if self.published_model and not self.recorded:
            raise ValueError("published_model needs recorded")
        if self.units and not self.recorded:
            raise ValueError("units needs recorded, whose column recorded_as names their classes")
        return self
