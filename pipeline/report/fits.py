"""Figures of fitted e-models: features against targets, traces, the searches, spread of parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.report.figures import Tables
from pipeline.report.style import OURS, Figure, encode, new_figure, style

GOOD, FAIR = 2.0, 5.0
COLOURS = ("#009E73", "#E69F00", "#D55E00")
MOST_TRACES = 6
SHOWN = 8.0
"""sd at which bars end."""


def fit_figures(tables: Tables) -> list[Figure]:
    """One figure of features and one of traces and searches per e-model that was found."""
    found = _shipped_figure(tables)
    for name, fit in tables.resolved.model.fits.items():
        path = tables.paths.fit_table(name, "features")
        if not path.is_file():
            continue
        features = pd.read_csv(path)
        dpi = tables.resolved.model.report.dpi
        link = path.relative_to(tables.paths.report_page.parent).as_posix()
        command = f"{tables.command('optimise')} --name {name}"
        found.append(
            Figure(
                f"fit-features-{name}", f"{name}: features against targets",
                draw_features(features, dpi), f"Bars of score by feature of {name}",
                _caption(features, fit.title), (link,), command,
            )
        )  # fmt: skip
        rest = [pd.read_csv(tables.paths.fit_table(name, kind))
                for kind in ("traces", "history", "parameters")]  # fmt: skip
        found.append(
            Figure(
                f"fit-traces-{name}", f"{name}: traces and searches", draw_search(*rest, dpi),
                f"Traces of {name} by protocol, best score over evaluations, parameters by seed",
                "Below: the smallest sum of scores so far, one line per seed; every free parameter "
                "of the best individual of each seed between its bounds.",
                (link.replace("features", "traces"), link.replace("features", "parameters")),
                command,
            )
        )  # fmt: skip
        found += _currents_figure(tables, name, command)
    return found


def _shipped_figure(tables: Tables) -> list[Figure]:
    """All e-models that the model ships, one row of scores each; those that are missing by name."""
    resolved = tables.resolved
    folder = resolved.folder / "tables/fitted"
    own = {n: folder / f"{n}.csv" for n in resolved.model.fits if (folder / f"{n}.csv").is_file()}
    if not own:
        return []
    scores = {name: pd.read_csv(path) for name, path in own.items()}
    missing = [name for name in resolved.model.fits if name not in own]
    text = (
        "Every dot is a feature: |value - mean| / sd of the recordings, on the cell of the fit; "
        "rings are held-out features, which no search saw. "
    )
    text += f"No e-model yet: {', '.join(missing)}." if missing else ""
    return [
        Figure(
            "fits-shipped", "E-models of this model", draw_shipped(scores, resolved.model.report.dpi),
            "Scores of all features by e-model", text, (), tables.command("optimise"),
        )
    ]  # fmt: skip


def draw_shipped(scores: dict[str, pd.DataFrame], dpi: int) -> str:
    """Scores of all features, one row per e-model, with how many lie below the marks."""
    with style():
        figure = new_figure(9.0, 0.35 * len(scores) + 0.9)
        axes = figure.add_subplot()
        for row, table in enumerate(scores.values()):
            for held, face in ((0, OURS), (1, "white")):
                own = table[table["held_out"] == held]["score"].clip(upper=SHOWN)
                lift = np.resize([-0.2, -0.1, 0.0, 0.1, 0.2], len(own))
                axes.plot(own, row + lift, "o", markersize=3, markeredgecolor=OURS,
                          markerfacecolor=face, markeredgewidth=0.6)  # fmt: skip
            used = table[table["held_out"] == 0]["score"]
            label = f"{(used < GOOD).mean():.0%} below 2 sd, worst {used.max():.1f}"
            axes.text(SHOWN + 0.1, row, label, va="center", fontsize=6.5)
        axes.set_yticks(range(len(scores)), list(scores))
        axes.invert_yaxis()
        axes.set_xlim(0, SHOWN)
        axes.set_xlabel("score (sd)")
        for limit in (GOOD, FAIR):
            axes.axvline(limit, color="#8a93a3", linewidth=0.7)
        return encode(figure, "svg", dpi)


def _currents_figure(tables: Tables, name: str, command: str) -> list[Figure]:
    path = tables.paths.fit_table(name, "currents")
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame()
    if table.empty:
        return []
    link = path.relative_to(tables.paths.report_page.parent).as_posix()
    return [
        Figure(
            f"fit-currents-{name}", f"{name}: currents by channel",
            draw_currents(table, tables.resolved.model.report.dpi),
            f"Currents of the channels of {name} during an action potential",
            f"First action potential of {table['protocol'].iloc[0]}. Inward currents below zero; "
            "left the soma with its voltage, right the first section of the axon.",
            (link,), command,
        )
    ]  # fmt: skip


def draw_currents(table: pd.DataFrame, dpi: int) -> str:
    """Currents by channel around a peak; the voltage above the soma's."""
    places = [place for place in ("soma", "axon") if (table["place"] == place).any()]
    with style():
        figure = new_figure(9.0, 4.0)
        for index, place in enumerate(places):
            axes = figure.add_subplot(1, len(places), index + 1)
            own = table[(table["place"] == place) & (table["channel"] != "v")]
            for channel, rows in own.groupby("channel", sort=True):
                axes.plot(rows["time"], rows["value"], linewidth=0.9, label=channel)
            axes.set_yscale("symlog", linthresh=1e-3)
            axes.set_title(place)
            axes.set_xlabel("ms from the peak")
            axes.set_ylabel("mA/cm2" if not index else "")
            axes.legend(fontsize=6, ncols=2)
            voltage = table[(table["place"] == place) & (table["channel"] == "v")]
            if len(voltage):
                twin = axes.twinx()
                twin.plot(
                    voltage["time"], voltage["value"], color="#8a93a3", linewidth=0.8, linestyle=":"
                )
                twin.set_ylabel("mV")
        return encode(figure, "svg", dpi)


def _caption(features: pd.DataFrame, title: str) -> str:
    used, held = (features[features["held_out"] == k]["score"] for k in (0, 1))
    text = (
        f"{title or 'E-model'}. Score is |value - mean| / sd of the recordings. Of {len(used)} "
        f"features {(used < FAIR).sum()} lie below 5 sd, {(used < GOOD).sum()} below 2"
    )
    if len(held):
        text += f"; of {len(held)} held out (hatched, not searched for) {(held < 3).sum()} below 3"
    missing = features[features["value"].isna()]["feature"]
    return text + (f". Without a value: {', '.join(missing)}." if len(missing) else ".")


def draw_features(features: pd.DataFrame, dpi: int) -> str:
    """Bars of all scores, by protocol."""
    with style():
        figure = new_figure(9.0, 0.16 * len(features) + 0.8)
        axes = figure.add_subplot()
        for row, entry in enumerate(features.itertuples()):
            colour = COLOURS[int(entry.score >= GOOD) + int(entry.score >= FAIR)]
            axes.barh(row, min(entry.score, SHOWN), color=colour, height=0.75,
                      hatch="////" if entry.held_out else None, edgecolor="white")  # fmt: skip
            value = "no value" if np.isnan(entry.value) else f"{entry.value:.4g}"
            axes.text(SHOWN + 0.1, row, f"{value}   ({entry.mean:.4g} ± {entry.sd:.3g})",
                      va="center", fontsize=6.5)  # fmt: skip
        where = features["location"].str.removesuffix(".v").replace("soma", "")
        labels = (features["protocol"] + " " + where + " " + features["feature"]).str.replace(
            "  ", " "
        )
        axes.set_yticks(range(len(features)), labels, fontsize=6.5)
        axes.set_ylim(len(features) - 0.4, -0.6)
        axes.set_xlim(0, SHOWN)
        axes.set_xlabel("score (sd)")
        for limit in (GOOD, FAIR):
            axes.axvline(limit, color="#8a93a3", linewidth=0.7)
        return encode(figure, "svg", dpi)


def draw_search(
    traces: pd.DataFrame, history: pd.DataFrame, parameters: pd.DataFrame, dpi: int
) -> str:
    """Traces at the soma, best score over evaluations, parameters between their bounds."""
    soma = traces[traces["place"] == "soma.v"]
    names = list(dict.fromkeys(soma["protocol"]))[-MOST_TRACES:]
    with style():
        figure = new_figure(9.0, 7.0)
        grid = figure.add_gridspec(3, 3, height_ratios=(1, 1, 1.3))
        for index, name in enumerate(names):
            axes = figure.add_subplot(grid[index // 3, index % 3])
            own = soma[soma["protocol"] == name]
            axes.plot(own["time"], own["value"], color=OURS, linewidth=0.6)
            axes.set_title(name)
            axes.set_xlabel("ms" if index // 3 else "")
            axes.set_ylabel("" if index % 3 else "mV")
        axes = figure.add_subplot(grid[2, 0])
        for seed, own in history.groupby("seed"):
            axes.plot(own["evaluation"], own["best"], label=f"seed {seed}")
        axes.set_yscale("log")
        axes.set_xlabel("evaluations")
        axes.set_ylabel("best sum of scores")
        axes.legend(fontsize=6.5)
        axes = figure.add_subplot(grid[2, 1:])
        labels = list(dict.fromkeys(parameters["parameter"]))
        span = parameters["upper"] - parameters["lower"]
        at = (parameters["value"] - parameters["lower"]) / span
        axes.plot([labels.index(name) for name in parameters["parameter"]], at, "o", color=OURS,
                  markersize=3)  # fmt: skip
        axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=5)
        axes.set_ylim(-0.05, 1.05)
        axes.set_yticks([0, 1], ["lower", "upper"])
        return encode(figure, "svg", dpi)
