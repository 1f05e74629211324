"""What every channel carries during an action potential of a found e-model."""

from __future__ import annotations

from pipeline.cells.morphology import AXON
from pipeline.config.emodel import EModel
from pipeline.fitting.evaluate import Task, currents_of
from pipeline.fitting.experiment import SOMA, Experiment
from pipeline.fitting.tables import Protocol

BEFORE, AFTER = 2.0, 8.0
"""ms around the peak."""
COLUMNS = ("protocol", "place", "channel", "time", "value")


def spike_currents(
    task: Task, emodel: EModel, holding: float, threshold: float
) -> list[dict[str, str | float]]:
    """Runs the weakest step above threshold and takes the currents around its first peak.

    Args:
        task: The fit.
        emodel: The cell's membrane.
        holding: nA.
        threshold: nA; NaN: no spike, nothing is returned.

    Returns:
        Rows of ``COLUMNS``: time from the peak (ms); value in mA/cm2 (inward below 0), or mV for
        the channel ``v``; places are soma and, where there is one, axon (its first section).
    """
    protocol = _weakest(task)
    if protocol is None or not threshold > 0:
        return []
    cell = Experiment(task.morphology, emodel, task.segment, task.settings)
    axon = [i for i, s in enumerate(task.morphology.sections) if s.kind == AXON][:1]
    wanted = {
        f"{place} {channel}": reference
        for place, section in zip(("soma", "axon"), (0, *axon), strict=False)
        for channel, reference in cell.channels(section).items()
    }
    found = cell.run(currents_of(protocol, holding, threshold), protocol.total, (), wanted)
    soma = found.pop(SOMA)
    above = soma.value > task.settings.spike_threshold
    if not above.any():
        return []
    first = int(above.argmax())
    last = first + int((~above[first:]).argmax()) if not above[first:].all() else len(above)
    peak = soma.time[first + int(soma.value[first:last].argmax())]
    near = (soma.time >= peak - BEFORE) & (soma.time <= peak + AFTER)
    traces = {"soma v": soma} | found
    return [
        {"protocol": protocol.name, "place": place, "channel": channel,
         "time": round(float(time - peak), 4), "value": float(value)}
        for label, trace in traces.items()
        for place, channel in [label.split()]
        for time, value in zip(trace.time[near], trace.value[near], strict=True)
    ]  # fmt: skip


def _weakest(task: Task) -> Protocol | None:
    """The step protocol with the smallest amplitude above threshold."""
    steps = {
        p.pulses[0].percent: p
        for p in task.protocols.values()
        if p.kind == "step_percent" and len(p.pulses) == 1 and p.pulses[0].percent > 100
    }
    return steps[min(steps)] if steps else None
