"""Stage ``premotor``: fits the premotor model to recordings, real or drawn, and runs it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.load import Resolved
from pipeline.config.premotor import Premotor, SimulatedRecordings
from pipeline.errors import ConfigError, Problem
from pipeline.premotor.fit import average_weights, fit_weights
from pipeline.premotor.model import Weights, Wiring, build_wiring, simulate
from pipeline.premotor.recordings import Recording, complete, draw_signals, read_recording
from pipeline.premotor.states import dwell_times, reversal_state
from pipeline.runtime import rng_for, write_text
from pipeline.sonata.layout import CircuitPaths


def run_premotor(resolved: Resolved, paths: CircuitPaths) -> dict[str, float]:
    """Fits, simulates with the averaged weights and writes tables below ``analysis``.

    Tables: ``premotor`` (figure, value, unit), ``premotor_weights``, ``premotor_dwells``,
    ``premotor_traces`` (first recording and its simulation).

    Returns:
        The figures by name.

    Raises:
        ConfigError: If the connectome or a recording is wrong.
        SimulationError: If the model cannot be integrated.
    """
    config = resolved.model.premotor
    wiring = build_wiring(read_pairs(resolved.path(config.connectome)), config.core)
    truth, recordings = None, [read_recording(resolved.path(f)) for f in config.recordings]
    if config.simulated:
        truth = draw_weights(config.simulated, wiring, resolved.model.seed)
        recordings += draw_recordings(config, wiring, truth, resolved.model.seed)
    names = [*wiring.core, *wiring.signals]
    tables = complete(recordings, names, config.twin)
    options = {"rate": config.rate, "a": config.cubic, "gap": config.gap}
    fits = [
        fit_weights(wiring, r.times, t, **options, window=config.window, order=config.order)
        for r, t in zip(recordings, tables, strict=True)
    ]
    mean = average_weights([weights for weights, _ in fits])
    explained = np.nanmean([share for _, share in fits])
    figures = {"core": len(wiring.core), "signals": len(wiring.signals),
               "synapses": int(wiring.synapses.sum()), "recordings": len(recordings),
               "explained": float(explained)}  # fmt: skip
    if truth is not None:
        figures["recovery_r"], figures["recovery_error"] = recovery(wiring, truth, mean)
    runs = [_again(wiring, mean, r, t, options) for r, t in zip(recordings, tables, strict=True)]
    figures |= _write(config, paths, wiring, mean, truth, recordings, tables, runs)
    text = pd.DataFrame({"figure": list(figures), "value": list(figures.values())})
    write_text(paths.analysis("premotor"), _csv(text))
    return figures


def read_pairs(path: Path) -> pd.DataFrame:
    """Reads pairs: columns pre, post, kind, count; or Neuron1, Neuron2, Type (S, EJ), Nbr.

    Raises:
        ConfigError: If columns are missing or a kind is unknown.
    """
    table = pd.read_csv(path, keep_default_na=False)
    if "Neuron1" in table:
        table = table.set_axis(["pre", "post", "kind", "count"], axis=1)
        table["kind"] = table["kind"].replace({"S": "chemical", "EJ": "electrical"})
    missing = {"pre", "post", "kind", "count"} - set(table)
    if missing:
        hint = "write columns pre, post, kind, count"
        raise ConfigError(Problem(f"{path}:1", f"no column {min(missing)!r}", hint))
    wrong = table.index[~table["kind"].isin(["chemical", "electrical"])]
    if len(wrong):
        message = f"kind is {table['kind'][wrong[0]]!r}"
        raise ConfigError(Problem(f"{path}:{wrong[0] + 2}", message, "chemical or electrical"))
    return table


def draw_weights(config: SimulatedRecordings, wiring: Wiring, seed: int) -> Weights:
    """Draws weights keyed by pair: normal, mean 0; offsets normal with the same deviation."""
    shape = wiring.synapses.shape
    draws = np.zeros(shape)
    for row, column in np.argwhere(wiring.synapses):
        draws[row, column] = rng_for(seed, "premotor.weight", int(row), int(column)).normal()
    offsets = [rng_for(seed, "premotor.offset", row).normal() for row in range(shape[0])]
    return Weights(config.weight * draws, config.weight * np.array(offsets))


def draw_recordings(config: Premotor, wiring: Wiring, truth: Weights, seed: int) -> list[Recording]:
    """Simulates recordings with known weights and drawn signals."""
    drawn, found = config.simulated, []
    times = np.arange(0.0, drawn.duration, drawn.interval) / 1000
    for number in range(drawn.count):
        signals = draw_signals(seed, number, times, wiring.signals, drawn.signal_time / 1000)
        start = rng_for(seed, "premotor.start", number).uniform(-0.8, 1.0, len(wiring.core))
        core = simulate(wiring, truth, times, signals, start, rate=config.rate,
                        a=config.cubic, gap=config.gap)  # fmt: skip
        both = np.hstack([core, signals])
        noise = rng_for(seed, "premotor.noise", number).normal(size=both.shape)
        both = both + drawn.noise * noise
        names = [*wiring.core, *wiring.signals]
        found.append(Recording(f"simulated_{number}", times, dict(zip(names, both.T, strict=True))))
    return found


def recovery(wiring: Wiring, truth: Weights, fitted: Weights) -> tuple[float, float]:
    """Returns correlation and relative RMS error of fitted against true synaptic weights."""
    a, b = truth.synapses[wiring.synapses], fitted.synapses[wiring.synapses]
    return float(np.corrcoef(a, b)[0, 1]), float(np.sqrt(((a - b) ** 2).mean() / (a**2).mean()))


def _again(wiring: Wiring, weights: Weights, recording, table, options) -> np.ndarray:
    """Runs the model with fitted weights from the recording's start; silent where not recorded."""
    table = np.where(np.isfinite(table), table, 0.0)
    cells = len(wiring.core)
    return simulate(wiring, weights, recording.times, table[:, cells:], table[0, :cells], **options)


def _write(config, paths, wiring, mean, truth, recordings, tables, runs) -> dict[str, float]:
    rows, columns = np.nonzero(wiring.synapses)
    names = [*wiring.core, *wiring.signals]
    weights = pd.DataFrame({
        "pre": [names[c] for c in columns], "post": [names[r] for r in rows],
        "weight_per_s": mean.synapses[rows, columns],
    })  # fmt: skip
    if truth is not None:
        weights["true_weight_per_s"] = truth.synapses[rows, columns]
    write_text(paths.analysis("premotor_weights"), _csv(weights))
    groups = [[names.index(n) for n in group] for group in (config.forward, config.reversal)]
    dwells, agreement = [], []
    for recording, table, run in zip(recordings, tables, runs, strict=True):
        cells = table[:, : len(wiring.core)]
        states = {
            kind: reversal_state(x, *groups) for kind, x in (("recorded", cells), ("run", run))
        }
        agreement.append((states["recorded"] == states["run"]).mean())
        for kind, state in states.items():
            found = dwell_times(state, recording.times, config.shortest / 1000)
            for back, lengths in found.items():
                label = "reversal" if back else "forward"
                dwells += [(recording.name, kind, label, length) for length in lengths]
    dwells = pd.DataFrame(dwells, columns=["recording", "kind", "state", "dwell_s"])
    write_text(paths.analysis("premotor_dwells"), _csv(dwells))
    traces = pd.DataFrame({"time_s": recordings[0].times})
    for column, name in enumerate(wiring.core):
        traces[f"{name}_recorded"] = tables[0][:, column]
        traces[f"{name}_run"] = runs[0][:, column]
    write_text(paths.analysis("premotor_traces"), _csv(traces))
    figures = {"state_agreement": float(np.mean(agreement))}
    for (kind, state), part in dwells.groupby(["kind", "state"]):
        figures[f"dwell.{kind}.{state}.median"] = float(part["dwell_s"].median())
        figures[f"dwell.{kind}.{state}.count"] = len(part)
    return figures


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
