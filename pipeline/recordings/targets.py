"""Targets from sweeps: features by eFEL, bins in percent of threshold, mean and sd.

The bins, and means over the sweeps of a cell before those over cells, follow BluePyEfe (Blue Brain
Project, LGPL-3.0; the extraction behind Reva et al. 2023, doi:10.1016/j.patter.2023.100855).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.config.recordings import Extraction
from pipeline.config.yaml_lines import nearest
from pipeline.errors import ConfigError, Problem, ToolError
from pipeline.recordings.sweeps import Sweep

COLUMNS = ("protocol", "location", "feature", "mean", "sd", "source")
LOCATION = "soma.v"


def efel_features(
    sweep: Sweep, names: Sequence[str], strict: bool, config: Extraction
) -> dict[str, float]:
    """Returns the mean of each feature over a sweep; features without a value are left out.

    Args:
        sweep: The response.
        names: eFEL features.
        strict: Whether only spikes within the step count.
        config: Spike threshold and interpolation.

    Raises:
        ToolError: If eFEL is not installed.
    """
    efel = _efel()
    efel.reset()
    efel.set_setting("Threshold", config.spike_threshold)
    efel.set_setting("interp_step", config.interpolation)
    efel.set_setting("strict_stiminterval", strict)
    trace = {
        "T": sweep.time,
        "V": sweep.voltage,
        "stim_start": [sweep.start],
        "stim_end": [sweep.stop],
    }
    found = efel.get_feature_values([trace], list(names), raise_warnings=False)[0]
    efel.reset()
    means = {n: float(np.mean(v)) for n, v in found.items() if v is not None and len(v)}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def check_features(names: Sequence[str], where: str) -> list[Problem]:
    """Finds names that eFEL does not know."""
    known = _efel().get_feature_names()
    return [
        Problem(where, f"eFEL has no feature {name!r}", nearest(name, known))
        for name in dict.fromkeys(names)
        if name not in known
    ]


def _efel():
    try:
        import efel
    except ImportError:
        hint = "pip install 'sonatina[optimise]'"
        raise ToolError(Problem("eFEL", "not installed", hint)) from None
    return efel


def threshold_currents(sweeps: Sequence[Sweep], config: Extraction, where: str) -> dict[str, float]:
    """Returns the threshold current of every cell, nA above holding.

    That of the config, else the smallest step with a spike among the threshold protocols.

    Raises:
        ConfigError: With every cell that has neither.
    """
    found = dict(config.threshold_current)
    problems = []
    for cell in dict.fromkeys(sweep.cell for sweep in sweeps):
        if cell in found:
            continue
        own = [s for s in sweeps if s.cell == cell and s.protocol in config.threshold_protocols]
        fired = [
            s.amplitude
            for s in own
            if s.amplitude > 0
            and efel_features(s, ["Spikecount"], True, config).get("Spikecount", 0) > 0
        ]
        if fired:
            found[cell] = min(fired)
        else:
            message = f"cell {cell} has no threshold current ({len(own)} sweeps to find it in)"
            hint = "give threshold_current, or threshold_protocols with a sweep that fires"
            problems.append(Problem(where, message, hint))
    if wrong := [cell for cell, value in found.items() if not value > 0]:
        message = f"threshold currents of {', '.join(wrong)} are not above 0"
        problems.append(Problem(where, message, "give currents above holding"))
    if problems:
        raise ConfigError(problems)
    return found


def target_table(sweeps: Sequence[Sweep], config: Extraction, where: str) -> pd.DataFrame:
    """Computes the targets.

    A cell's value is the mean over its sweeps in a bin. With several cells mean and sd go over the
    cells, with one cell over its sweeps (sd with divisor n).

    Args:
        sweeps: Responses.
        config: Bins and features.
        where: Place of the config, for messages.

    Returns:
        One row per protocol, amplitude and feature, then the searches' currents: protocol,
        location, feature, mean, sd, source.

    Raises:
        ConfigError: For unknown features, cells without threshold, and bins without a sweep.
    """
    names = [name for step in config.protocols.values() for name in step.features]
    if problems := check_features(names, where):
        raise ConfigError(problems)
    thresholds = threshold_currents(sweeps, config, where)
    percent = [100 * s.amplitude / thresholds[s.cell] for s in sweeps]
    values = [
        efel_features(s, config.protocols[s.protocol].features, config.protocols[s.protocol].strict, config)
        for s in sweeps
    ]  # fmt: skip
    rows: list[dict[str, object]] = []
    for protocol, step in config.protocols.items():
        own = [i for i, s in enumerate(sweeps) if s.protocol == protocol]
        for amplitude in step.amplitudes:
            inside = [i for i in own if abs(percent[i] - amplitude) <= config.tolerance]
            if not inside:
                seen = ", ".join(f"{percent[i]:.0f}" for i in own) or "none"
                message = (
                    f"{protocol}: no sweep within {config.tolerance:g} of {amplitude:g} percent"
                )
                problems.append(Problem(where, message, f"there are: {seen}"))
            label = f"{step.name or protocol}_{amplitude:g}"
            for feature in step.features:
                numbers = [
                    (sweeps[i].cell, values[i][feature]) for i in inside if feature in values[i]
                ]
                if numbers:
                    rows.append(_row(label, feature, numbers, config))
    if problems:
        raise ConfigError(problems)
    cells = list(dict.fromkeys(sweep.cell for sweep in sweeps))
    holding = [(s.cell, s.holding) for s in sweeps]
    rows.append(_row("HoldingSearch", "holding_current", holding, config))
    currents = [(cell, thresholds[cell]) for cell in cells]
    rows.append(_row("ThresholdSearch", "threshold_current", currents, config))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    protocol: str, feature: str, numbers: list[tuple[str, float]], config: Extraction
) -> dict[str, object]:
    by_cell: dict[str, list[float]] = {}
    for cell, value in numbers:
        by_cell.setdefault(cell, []).append(value)
    means = [np.mean(values) for values in by_cell.values()]
    samples = means if len(means) > 1 else next(iter(by_cell.values()))
    said = f"{len(numbers)} sweeps of {len(by_cell)} cells"
    return {
        "protocol": protocol,
        "location": LOCATION,
        "feature": feature,
        "mean": float(np.mean(samples)),
        "sd": max(float(np.std(samples)), config.least_sd),
        "source": f"{config.source}; {said}",
    }
