"""Behaviour on the report page: a player of body and track, kymograph, tracks; the premotor model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pipeline.body.environment import source_concentration
from pipeline.body.record import Record, read_record
from pipeline.body.rod import rod_radii
from pipeline.config.behaviour import Behaviour
from pipeline.report.figures import Tables
from pipeline.report.plots import WIDE
from pipeline.report.style import OURS, PALETTE, THEIRS, Figure, encode, new_figure, style

MOST_FRAMES, MOST_POINTS = 600, 25
FIELD_REACH = 4000.0
"""um around a source that the player paints."""
MOST_NEURONS = 12
"""Voltages shown beside the body: those that vary most."""


def behaviour_figures(tables: Tables) -> list[Figure]:
    """Kymograph and track of every behaviour that has run, then the premotor model's figures."""
    found = []
    dpi = tables.resolved.model.report.dpi
    for name, config, record in _records(tables):
        found.append(
            Figure(
                f"behaviour-{name}", f"{name}: curvature and track",
                draw_behaviour(config, record, dpi),
                "Curvature along the body against time, and the path of head and centre",
                "Left: curvature along the body (head above); a wave that runs to the tail descends "
                "to the right. Right: path of the head (thin) and of the centre (thick), body at the "
                "end; crosses are sources.",
                (tables.link(f"track_{name}"),), tables.command("behave"),
            )
        )  # fmt: skip
        if record.starts:
            found.append(
                Figure(
                    f"starts-{name}", f"{name}: {len(record.starts.heading)} starts",
                    draw_starts(config, record, dpi),
                    "Tracks of the head from all starts, with senses and without",
                    "Tracks of the head from a common place in all directions; dots are ends, crosses "
                    "sources. Right: the distance to the first source over time.",
                    (tables.link(f"starts_{name}"),), tables.command("behave"),
                )
            )  # fmt: skip
    traces, weights = tables["premotor_traces"], tables["premotor_weights"]
    if len(traces):
        found.append(
            Figure(
                "premotor", "Premotor neurons, recorded and simulated",
                draw_premotor(traces, weights, tables["premotor_dwells"], dpi),
                "Traces of the premotor neurons, fitted against true weights, and dwell times",
                "Left: the first recording (grey) and the model run with the averaged weights from "
                "its first frame, signal neurons played in. Middle: fitted against true weights, "
                "where recordings were drawn. Right: dwell times of both states.",
                (tables.link("premotor_traces"), tables.link("premotor_weights")),
                tables.command("premotor"),
            )
        )  # fmt: skip
    return found


def player_data(tables: Tables) -> list[dict[str, Any]]:
    """Returns what the page's player shows: frames of whole micrometres, radii, sources.

    Returns:
        Per behaviour: name, interval (ms), radii, frames (flat x, y lists), sources (place, name), neurons
        (name, lowest and highest voltage, a value of 0..100 per frame).
    """
    found = []
    for name, config, record in _records(tables):
        every = max(1, -(-len(record.time) // MOST_FRAMES))
        points = np.linspace(0, config.body.segments, MOST_POINTS).round().astype(int)
        shown = record.positions[::every][:, points].round(1)
        found.append(
            {
                "name": name,
                "interval": config.interval * every,
                "radii": rod_radii(config.body.segments, config.body.radius)[points]
                .round(1)
                .tolist(),
                "frames": shown.reshape(len(shown), -1).tolist(),
                "sources": [
                    {"name": key, "place": source.place, "field": _field(source)}
                    for key, source in config.environment.sources.items()
                ],
                "neurons": _live(record, every),
            }
        )
    return found


def _field(source) -> list[float]:
    """Concentration of a source at time 0 from its place to ``FIELD_REACH``, its range mapped on 1..0."""
    points = np.stack([np.linspace(0, FIELD_REACH, 13), np.zeros(13)], 1) + source.place
    level = source_concentration(source, points, 0.0)
    return np.round((level - level[-1]) / max(level[0] - level[-1], 1e-12), 3).tolist()


def _live(record: Record, every: int) -> list[dict[str, Any]]:
    """The neurons whose voltage varies most, in their own range."""
    if record.voltage is None or not record.neurons:
        return []
    spread = record.voltage.std(0)
    chosen = sorted(np.argsort(-spread, kind="stable")[:MOST_NEURONS])
    found = []
    for row in chosen:
        trace = record.voltage[:, row].astype(float)
        low, high = float(trace.min()), float(trace.max())
        share = (trace[::every] - low) / max(high - low, 1e-9)
        values = np.round(100 * share).astype(int).tolist()
        ends = {"low": round(low, 1), "high": round(high, 1)}
        found.append({"name": record.neurons[row], "values": values} | ends)
    return found


def _records(tables: Tables):
    for name, config in tables.resolved.model.behaviours.items():
        path = tables.paths.behaviour(name)
        if path.is_file():
            yield name, config, read_record(path)


def draw_behaviour(config: Behaviour, record: Record, dpi: int) -> str:
    """Draws kymograph and path into a data URI."""
    with style():
        figure = new_figure(WIDE, 3.4)
        left, right = figure.subplots(1, 2)
        curvature = record.curvature.T * 1e3
        limit = max(float(np.abs(curvature).max()), 1e-9)
        image = left.imshow(
            curvature, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
            extent=(0, record.time[-1] / 1e3, 1, 0), interpolation="nearest",
        )  # fmt: skip
        left.set(xlabel="time (s)", ylabel="place on the body (0 head)")
        figure.colorbar(image, ax=left, label="curvature (1/mm)")
        mm = record.positions / 1e3
        right.plot(*mm[:, 0].T, color=THEIRS, linewidth=0.6)
        right.plot(*mm.mean(1).T, color=OURS, linewidth=1.6)
        right.plot(*mm[-1].T, color="#1c2330", linewidth=1.2)
        for source in config.environment.sources.values():
            right.plot(source.place[0] / 1e3, source.place[1] / 1e3, "x", color=PALETTE[4])
        right.set(xlabel="x (mm)", ylabel="y (mm)")
        right.set_aspect("equal", adjustable="datalim")
        return encode(figure, "png", dpi)


def draw_starts(config: Behaviour, record: Record, dpi: int) -> str:
    """Draws the tracks of all starts and their distances to the first source into a data URI."""
    starts, sources = record.starts, list(config.environment.sources.values())
    groups = [("with senses", starts.smelling, OURS)]
    if not starts.smelling.all():
        groups.append(("without", ~starts.smelling, THEIRS))
    with style():
        figure = new_figure(WIDE, 3.2)
        axes = figure.subplots(1, len(groups) + bool(sources), squeeze=False)[0]
        for axis, (label, chosen, colour) in zip(axes, groups, strict=False):
            for head in starts.head[chosen] / 1e3:
                axis.plot(*head.T, color=colour, linewidth=0.5)
                axis.plot(*head[-1], ".", color=colour)
            for source in sources:
                axis.plot(source.place[0] / 1e3, source.place[1] / 1e3, "x", color=PALETTE[4])
            axis.set(xlabel="x (mm)", ylabel="y (mm)", title=label)
            axis.set_aspect("equal", adjustable="datalim")
        for _label, chosen, colour in groups if sources else []:
            distance = np.linalg.norm(starts.head[chosen] - np.array(sources[0].place), axis=2)
            axes[-1].plot(record.time / 1e3, distance.T / 1e3, color=colour, linewidth=0.4)
            axes[-1].plot(record.time / 1e3, distance.mean(0) / 1e3, color=colour, linewidth=2)
            axes[-1].set(xlabel="time (s)", ylabel="distance to the source (mm)")
        return encode(figure, "png", dpi)


def draw_premotor(
    traces: pd.DataFrame, weights: pd.DataFrame, dwells: pd.DataFrame, dpi: int
) -> str:
    """Draws traces, weights and dwell times of the premotor model into a data URI."""
    names = [key.removesuffix("_run") for key in traces if key.endswith("_run")]
    with style():
        figure = new_figure(WIDE, 5.0)
        left, middle, right = figure.subplots(1, 3, width_ratios=(2.4, 1, 1))
        for row, name in enumerate(names):
            for kind, colour in (("recorded", "#b9c0cc"), ("run", OURS)):
                left.plot(
                    traces["time_s"], traces[f"{name}_{kind}"] / 2.5 - row, color=colour, lw=0.8
                )
        left.set_yticks(-np.arange(len(names)), names)
        left.set(xlabel="time (s)", title="recorded (grey), run")
        if "true_weight_per_s" in weights:
            middle.plot(
                weights["true_weight_per_s"], weights["weight_per_s"], ".", color=OURS, ms=2
            )
            ends = [weights["true_weight_per_s"].min(), weights["true_weight_per_s"].max()]
            middle.plot(ends, ends, color=THEIRS, lw=0.8)
        middle.set(xlabel="true weight (1/s)", ylabel="fitted weight (1/s)")
        for (kind, state), part in dwells.groupby(["kind", "state"]):
            lengths = np.sort(part["dwell_s"].to_numpy())
            line = "-" if kind == "run" else "--"
            colour = PALETTE[0] if state == "forward" else PALETTE[4]
            share = 1 - np.arange(len(lengths)) / len(lengths)
            right.step(lengths, share, line, color=colour, label=f"{state}, {kind}", where="pre")
        right.set(xlabel="dwell (s)", ylabel="share that lasts longer")
        if len(dwells):
            right.legend(fontsize=6.5)
        return encode(figure, "png", dpi)
