"""Figures of ``analysis.network``: raster by depth, rates, spectra, coupling, answers, grids of runs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.analysis.network_tables import SEED
from pipeline.config.afferents import AfferentEdges
from pipeline.config.sweeps import grid
from pipeline.report.figures import Tables
from pipeline.report.rule_plots import class_colours
from pipeline.report.style import OURS, Figure, encode, few_log_ticks, new_figure, style

_MAPS = {"rate": "mean rate (Hz)", "synchrony": "synchrony", "isi_cv": "cv of intervals",
         "peak_power": "spectral peak over Poisson"}  # fmt: skip


def network_figures(tables: Tables) -> list[Figure]:
    """One figure per run that is no part of a grid, and one per grid."""
    model = tables.resolved.model
    if model.analysis.network is None:
        return []
    dpi, command = model.report.dpi, tables.command("analyse")
    swept = {run for name, sweep in model.sweeps.items() for run, _ in grid(name, sweep)}
    found = []
    for run in [name for name in model.simulation if name not in swept]:
        rates = tables[f"network_{run}_rates"]
        if rates.empty:
            continue
        kinds = ("raster", "coupling", "spectrum", "psth")
        parts = {kind: tables[f"network_{run}_{kind}"] for kind in kinds}
        links = [f"network_{run}_{kind}" for kind in ("rates", *kinds)]
        found.append(
            Figure(
                f"network-{run}", f"{run}: spikes, rates, spectrum, coupling",
                draw_run(rates, **parts, by=model.analysis.network.by[0], dpi=dpi,
                         duration=model.simulation[run].duration, depths=_depths(tables)),
                "Raster by depth, mean rates by type, spectrum of the population rate, coupling of "
                "cells to the population, mean rates about events",
                _caption(tables, run), tuple(tables.link(name) for name in links
                                             if tables.paths.analysis(name).is_file()), command,
            )
        )  # fmt: skip
        if model.simulation[run].lfp and len(lfp := tables[f"network_{run}_lfp"]):
            found.append(_lfp_figure(tables, run, lfp, dpi))
    for name, sweep in model.sweeps.items():
        table = tables[f"sweep_{name}"]
        if len(table) and SEED in sweep.axes:
            found.append(_seed_figure(tables, name, list(sweep.axes), table))
        elif len(table):
            found.append(
                Figure(
                    f"sweep-{name}", f"{name}: {' by '.join(sweep.axes)}",
                    draw_grid(table, list(sweep.axes), dpi),
                    "Maps of mean rate, synchrony, irregularity and spectral peak over the grid",
                    "Each field is one run. Synchrony is the variance of the population's count over "
                    "the sum of the cells' variances: 1 for independent cells.",
                    (tables.link(f"sweep_{name}"),), command,
                )
            )  # fmt: skip
    return found


def _seed_figure(tables: Tables, name: str, axes: list[str], table: pd.DataFrame) -> Figure:
    spread = tables[f"sweep_{name}_seeds"]
    return Figure(
        f"sweep-{name}", f"{name}: spread over seeds",
        draw_seeds(table, spread, axes, tables.resolved.model.report.dpi),
        "Mean rate, synchrony, irregularity and spectral peak of every seed, with mean and sd",
        "Each dot is one run, bars are mean and sd of one run over seeds. A difference between two "
        "circuits or states that is within these says nothing.",
        (tables.link(f"sweep_{name}_seeds"), tables.link(f"sweep_{name}")),
        tables.command("analyse"),
    )  # fmt: skip


def draw_seeds(table: pd.DataFrame, spread: pd.DataFrame, axes_names: list[str], dpi: int) -> str:
    """Dots of all seeds over the other axis, with mean and sd.

    Args:
        table: As ``sweep_<name>``.
        spread: As ``sweep_<name>_seeds``.
        axes_names: Axes of the grid, the seed among them.
        dpi: Resolution.
    """
    names = [name for name in _MAPS if table[name].notna().any()] or ["rate"]
    other = next((name for name in axes_names if name != SEED), None)
    values = list(dict.fromkeys(table[other])) if other else [None]
    with style():
        figure = new_figure(2.6 * len(names) + 0.6, 2.9)
        for index, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), index + 1)
            axes.set_title(_MAPS[name])
            own = spread[spread["quantity"] == name]
            for place, value in enumerate(values):
                dots = table[name] if other is None else table[name][table[other] == value]
                axes.plot(
                    [place + 0.15] * len(dots), dots, "o", color=OURS, alpha=0.5, markersize=4
                )
                row = own if other is None else own[own[other] == value]
                if len(row):
                    axes.errorbar(place - 0.1, row["mean"].iloc[0], row["sd"].iloc[0], fmt="s",
                                  color="0.2", capsize=3, markersize=4)  # fmt: skip
            axes.set_xlim(-0.6, len(values) - 0.4)
            axes.set_xticks(range(len(values)), ["" if v is None else str(v) for v in values])
            axes.set_xlabel(other or "all seeds")
        return encode(figure, "svg", dpi)


def _depths(tables: Tables) -> pd.Series:
    """y of all cells that are analysed, um; empty where they have no places."""
    somata = tables[f"somata_{tables.resolved.model.analysis.network.nodes}"]
    return somata["y"] if "y" in somata else pd.Series(dtype=float)


def _lfp_figure(tables: Tables, run: str, lfp: pd.DataFrame, dpi: int) -> Figure:
    electrodes = tables.resolved.model.simulation[run].lfp
    spectra = tables[f"network_{run}_lfp_spectrum"]
    return Figure(
        f"lfp-{run}", f"{run}: extracellular potential", draw_lfp(lfp, spectra, dpi),
        "Potential over time at every electrode, and its spectra",
        f"Line sources of all segments (LFPykit) in an even medium of {electrodes.conductivity:g} "
        "S/m; the mean of each electrode is taken off on the left. Only cells of the circuit "
        "contribute, so a small one says little about the size of a recorded potential.",
        (tables.link(f"network_{run}_lfp"), tables.link(f"network_{run}_lfp_spectrum")),
        tables.command("analyse"),
    )  # fmt: skip


def draw_lfp(lfp: pd.DataFrame, spectra: pd.DataFrame, dpi: int) -> str:
    """Traces of all electrodes, the uppermost on top, and their spectra.

    Args:
        lfp: time (ms), and a column (mV) per electrode, called y and its place in um.
        spectra: frequency (Hz), and the same columns.
        dpi: Resolution.
    """
    names = sorted(lfp.columns.drop("time"), key=lambda name: float(name[1:]))
    data = lfp[names] - lfp[names].mean()
    step = 1.2 * float((data.max() - data.min()).max()) or 1.0
    with style():
        figure = new_figure(10.0, 4.2)
        left, right = figure.subplots(1, 2, width_ratios=(2, 1))
        for place, name in enumerate(names):
            left.plot(lfp["time"], data[name] + place * step, color=OURS, linewidth=0.7)
            part = spectra[(spectra["frequency"] > 0) & (spectra[name] > 0)]
            right.loglog(part["frequency"], part[name], color=OURS, linewidth=0.7, alpha=0.7)
        left.set_yticks([k * step for k in range(len(names))], [name[1:] for name in names])
        left.set_ylabel(f"y (µm); {step:.2g} mV apart")
        left.set_xlabel("ms")
        few_log_ticks(right.xaxis)
        right.set_xlabel("Hz")
        right.set_ylabel("power (mV²/Hz)")
        return encode(figure, "svg", max(150, dpi))


def _caption(tables: Tables, run: str) -> str:
    simulation = tables.resolved.model.simulation[run]
    config = tables.resolved.model.analysis.network
    values = {key: tables.metric(f"{run}.{key}") for key in
              ("rate", "synchrony", "isi_cv", "active", "choristers")}  # fmt: skip
    shown = ", ".join(f"{key} {value:.3g}" for key, value in values.items() if value is not None)
    calcium = 2.0 if simulation.calcium is None else simulation.calcium
    replaced = [
        f"{key} ({entry.kind} of {entry.nodes})"
        for key, entry in simulation.inputs.items()
        if entry.kind in ("poisson", "volley", "spikes", "threshold")
    ]
    inputs = f" Inputs: {', '.join(replaced)}." if replaced else " No inputs."
    outside = _outside(tables) or (
        "Afferents from outside the circuit are missing unless an input replaces them."
    )
    return (
        f"{simulation.duration:g} ms at {calcium:g} mM calcium, the first {config.skip:g} ms left out "
        f"of all numbers: {shown}. Coupling is the correlation of a cell's count with that of all "
        "others; choristers lie more than two sd above shifts of their own spikes, and synchrony is 1 "
        f"for independent cells.{inputs} {outside}"
    )


def _outside(tables: Tables) -> str:
    """What stands for afferents that were cut off, in words."""
    said = []
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, AfferentEdges) and len(table := tables[f"afferents_{name}"]):
            cells = table["cells"]
            mean = {c: (table[c] * cells).sum() / cells.sum() for c in table.columns[2:]}
            said.append(
                f"Of {mean['connections_whole']:.0f} connections per cell in the whole tissue the "
                f"circuit has {mean['connections_present']:.1f}; {mean['connections_added']:.0f} with "
                f"{mean['synapses_added']:.0f} synapses come from nodes of {edges.source!r}, which "
                "know nothing of the circuit."
            )
    return " ".join(said)


def afferent_figures(tables: Tables) -> list[Figure]:
    """Connections per cell of the whole tissue, of the circuit, and those that replace the rest."""
    found = []
    for name, edges in tables.resolved.model.edges.items():
        if isinstance(edges, AfferentEdges) and len(table := tables[f"afferents_{name}"]):
            found.append(
                Figure(
                    f"afferents-{name}", f"{name}: afferents that were cut off",
                    draw_afferents(table, tables.resolved.model.report.dpi),
                    "Bars by m-type: connections per cell in the tissue, in the circuit, added",
                    f"{_outside(tables)} Probabilities and synapses per connection are the pathways' "
                    "of the table; places on the dendrites have equal chance per um (assumed).",
                    (tables.link(f"afferents_{name}"),), tables.command("edges"),
                )
            )  # fmt: skip
    return found


def draw_afferents(table: pd.DataFrame, dpi: int) -> str:
    """Bars by m-type of the target.

    Args:
        table: As ``afferents_<name>``.
        dpi: Resolution.
    """
    with style():
        figure = new_figure(10.0, 3.2)
        axes = figure.subplots()
        at = np.arange(len(table))
        axes.bar(at - 0.2, table["connections_whole"], 0.38, color="0.75", label="whole tissue")
        axes.bar(at + 0.2, table["connections_present"], 0.38, color="0.3", label="in the circuit")
        axes.bar(at + 0.2, table["connections_added"], 0.38, bottom=table["connections_present"],
                 color=OURS, label="added")  # fmt: skip
        axes.set_xticks(at, table["mtype"], rotation=60, ha="right")
        axes.set_ylabel("connections per cell")
        axes.legend(frameon=False)
        return encode(figure, "svg", dpi)


def draw_run(
    rates: pd.DataFrame, raster: pd.DataFrame, coupling: pd.DataFrame, spectrum: pd.DataFrame,
    psth: pd.DataFrame, by: str, dpi: int, duration: float, depths: pd.Series,
) -> str:  # fmt: skip
    """All panels of one run.

    Args:
        rates, raster, coupling, spectrum, psth: Tables of ``analysis.network``.
        by: Attribute of the bars.
        dpi: Resolution.
        duration: Of the run, ms.
        depths: y of all cells, um, so that silent ones keep their place.
    """
    with style():
        figure = new_figure(10.0, 6.5)
        grid_ = figure.add_gridspec(2, 4, height_ratios=(1.5, 1))
        axes = figure.add_subplot(grid_[0, :3])
        colours = class_colours(sorted(set(raster["class"].astype(str))))
        size = float(np.clip(3000 / max(1, len(raster)), 1.2, 12))
        for name, colour in colours.items():
            own = raster[raster["class"].astype(str) == name]
            axes.scatter(own["time"], own["y"], s=size, color=colour, label=name, linewidths=0,
                         rasterized=True)  # fmt: skip
        axes.set_xlim(0, duration)
        if len(depths):
            axes.set_ylim(depths.min() - 5, depths.max() + 5)
        axes.set_xlabel("ms")
        axes.set_ylabel("y (µm)")  # the pia is above
        axes.legend(
            fontsize=6.5, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False
        )
        axes = figure.add_subplot(grid_[0, 3])
        own = rates[rates["attribute"] == by]
        axes.barh(own["value"].astype(str), own["mean"], color=OURS, height=0.7)
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=5.5)
        axes.set_xlabel("mean rate (Hz)")
        axes = figure.add_subplot(grid_[1, 0])
        part = spectrum[(spectrum["frequency"] > 0) & (spectrum["power"] > 0)]
        if len(part):
            axes.loglog(part["frequency"], part["power"], color=OURS)
            axes.loglog(part["frequency"], part["poisson"], color="#888888", linestyle="--")
            few_log_ticks(axes.xaxis)
        axes.set_xlabel("Hz")
        axes.set_ylabel("power (Hz²/Hz)")
        axes = figure.add_subplot(grid_[1, 1])
        values = coupling["coupling"].dropna()
        if len(values):
            bins = np.linspace(-1.0, 1.0, 81)
            axes.hist(values, bins, color=OURS)
            axes.hist(coupling["null_mean"].dropna(), bins, histtype="step", color="#888888")
        axes.set_xlabel("coupling")
        axes.set_ylabel("cells")
        axes = figure.add_subplot(grid_[1, 2:])
        if len(psth):
            colours = class_colours(sorted(set(psth["group"].astype(str))))
            for name, part in psth.groupby(psth["group"].astype(str)):
                axes.step(part["time"], part["rate"], where="post", color=colours[name], label=name)
            axes.axvline(0, color="#8a93a3", linewidth=0.7)
            axes.legend(fontsize=6.5)
            axes.set_xlabel("ms from the event")
        else:
            positive = np.sort(coupling["rate"][coupling["rate"] > 0])
            if len(positive):
                axes.semilogx(positive, np.arange(1, len(positive) + 1) / len(coupling), color=OURS)
                few_log_ticks(axes.xaxis)
            axes.set_xlabel("rate (Hz)")
        axes.set_ylabel("rate (Hz)" if len(psth) else "share of cells")
        return encode(figure, "svg", max(150, dpi))


def draw_grid(table: pd.DataFrame, axes_names: list[str], dpi: int) -> str:
    """Maps over two axes, or lines over one."""
    names = [name for name in _MAPS if table[name].notna().any()] or ["rate"]
    with style():
        figure = new_figure(2.6 * len(names) + 0.6, 2.9)
        for index, name in enumerate(names):
            axes = figure.add_subplot(1, len(names), index + 1)
            axes.set_title(_MAPS[name])
            axes.set_xlabel(axes_names[0])
            if len(axes_names) == 1:
                axes.plot(range(len(table)), table[name], "o-", color=OURS)
                axes.set_xticks(range(len(table)), table[axes_names[0]].astype(str))
                continue
            wide = table.pivot(index=axes_names[1], columns=axes_names[0], values=name)
            image = axes.imshow(wide.to_numpy(float), origin="lower", aspect="auto", cmap="viridis")
            axes.set_xticks(range(wide.shape[1]), wide.columns.astype(str), fontsize=7)
            axes.set_yticks(range(wide.shape[0]), wide.index.astype(str), fontsize=7)
            axes.set_ylabel(axes_names[1] if index == 0 else "")
            figure.colorbar(image, ax=axes)
        return encode(figure, "svg", dpi)
