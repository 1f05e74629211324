"""Schema of ``premotor``: cubic premotor neurons driven by recorded signals (Morrison & Young 2025)."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.quantity import Milliseconds, Name, RelativeFile, Strict, TimeStep


class SimulatedRecordings(Strict):
    """Recordings drawn from the model itself, to see whether the fit finds the weights again."""

    count: int = Field(3, ge=1, le=1000)
    duration: TimeStep = 960_000.0
    interval: TimeStep = 600.0
    signal_time: TimeStep = Field(8_000.0, description="Correlation time of the signal neurons.")
    weight: float = Field(0.03, gt=0, description="Standard deviation of drawn weights, 1/s.")
    noise: float = Field(0.0, ge=0, description="Standard deviation added to each frame.")


class Premotor(Strict):
    """dx/dt = rate a (x + 0.8)(x - 0.1)(x - 1) + d + sum A max(0, x_j) + gap sum G (x_j - x), 1/s."""

    forward: list[Name] = Field(min_length=1, description="Core neurons of forward movement.")
    reversal: list[Name] = Field(min_length=1, description="Core neurons of reversals.")
    connectome: RelativeFile = Field(description="CSV: pre, post, kind, count; or White's rows.")
    cubic: float = Field(-2.0, lt=0, description="a; -2 published.")
    rate: float = Field(1.0, gt=0, description="Factor on the cubic, in the fit and in runs.")
    gap: float = Field(10.0, ge=0, description="Per electrical contact; 10 in the published fit.")
    window: int = Field(11, ge=3, description="Frames of the Savitzky-Golay filter; 11 published.")
    order: int = Field(5, ge=1, description="Order of its polynomials; 5 published.")
    twin: float = Field(
        0.7, ge=-1, le=1, description="A missing cell takes its twin's trace above this mean r."
    )
    shortest: Milliseconds = Field(3000.0, description="Dwells below are dropped; 0.05 min.")
    recordings: list[RelativeFile] = Field(
        default_factory=list, description="JSON files as on wormwideweb.org."
    )
    simulated: SimulatedRecordings | None = None

    @model_validator(mode="after")
    def _window(self) -> Premotor:
        if self.window % 2 == 0 or self.order >= self.window:
            raise ValueError("window must be odd and above order")
        if both := set(self.forward) & set(self.reversal):
            raise ValueError(f"{min(both)} is forward and reversal")
        return self

    @property
    def core(self) -> list[str]:
        """All core neurons, forward first."""
        return [*self.forward, *self.reversal]
