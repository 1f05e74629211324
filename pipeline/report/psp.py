"""Figures of paired recordings: potentials beside published ones, traces, factors found."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.psp import PSP_FEATURES
from pipeline.report.figures import Tables
from pipeline.report.style import OURS, RECORDED, Figure, encode, new_figure, style

_COLUMNS = 5
_PANELS = {"psp": "potential (mV)", "synapses": "synapses", "cv": "cv", "failures": "failures",
           "latency": "latency (ms)", "rise": "rise (ms)", "decay": "decay (ms)"}  # fmt: skip


def psp_figures(tables: Tables) -> list[Figure]:
    """Pathways beside published values, and their mean traces."""
    if tables.resolved.model.psp is None or not tables.paths.psp("pathways").is_file():
        return []
    pathways = pd.read_csv(tables.paths.psp("pathways"))
    traces = pd.read_csv(tables.paths.psp("traces"))
    recorded = pathways[pathways["pairs"] > 0]
    if recorded.empty:
        return []
    folder, command = tables.paths.report_page.parent, tables.command("psp")
    links = {name: tables.paths.psp(name).relative_to(folder).as_posix()
             for name in ("pathways", "pairs", "traces")}  # fmt: skip
    dpi = tables.resolved.model.report.dpi
    return [
        Figure(
            "psp-pathways", "Paired recordings: ours and published", draw_pathways(recorded, dpi),
            "Means with sd by pathway of potential, synapses, variation, failures and kinetics",
            _caption(tables, pathways), (links["pathways"], links["pairs"]), command,
        ),
        Figure(
            "psp-traces", "Paired recordings: mean potentials", draw_traces(recorded, traces, dpi),
            "Mean postsynaptic potential of every pathway over time",
            "Mean over all trials and connections of a pathway minus the cell without a spike; the "
            "band is the sd over connections, the dashed line the published peak.",
            (links["traces"],), command,
        ),
    ]  # fmt: skip


def _caption(tables: Tables, pathways: pd.DataFrame) -> str:
    config = tables.resolved.model.psp
    judged = tables["verdicts"]
    own = judged[judged["metric"].str.startswith("psp.")] if len(judged) else judged
    passed = int((own["verdict"] == "pass").sum()) if len(own) else 0
    failed = int((own["verdict"] == "fail").sum()) if len(own) else 0
    none = pathways.loc[pathways["pairs"] == 0, "pathway"]
    text = (
        f"Up to {config.pairs} connections per pathway with {config.trials} spikes each at "
        f"{config.calcium:g} mM calcium; the cell is held by a current and has the synapses of the "
        "connection only. Blue: mean and sd over connections; black: published mean and sd. A mean "
        f"passes within one published sd: {passed} pass, {failed} fail."
    )
    if len(none):
        text += f" Without connections here: {', '.join(none)}."
    path = tables.paths.psp("calibration")
    if path.is_file():
        found = pd.read_csv(path)
        factors = found["factor"]
        text += (
            f" Conductances were searched for {len(found)} pathways: factors {factors.min():.2g} "
            f"to {factors.max():.2g}, {found['off'].notna().sum()} stay off."
        )
    return text


def draw_pathways(pathways: pd.DataFrame, dpi: int) -> str:
    """One panel per feature, one row per pathway."""
    panels = [name for name in PSP_FEATURES if pathways[name].notna().any()]
    rows = np.arange(len(pathways))
    with style():
        figure = new_figure(1.5 + 1.5 * len(panels), 0.8 + 0.22 * len(pathways))
        for index, name in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), index + 1)
            for offset, prefix, colour in ((-0.15, "published_", RECORDED), (0.15, "", OURS)):
                mean, sd = (pathways[f"{prefix}{name}{end}"] for end in ("", "_sd"))
                axes.errorbar(mean, rows + offset, xerr=sd.fillna(0), fmt="o", markersize=3,
                              color=colour, elinewidth=0.8)  # fmt: skip
            labels = [f"{p.pathway} ({p.pairs})" for p in pathways.itertuples()]
            axes.set_yticks(rows, labels if index == 0 else [""] * len(rows), fontsize=6.5)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlim(left=0)
            axes.set_xlabel(_PANELS[name])
        return encode(figure, "svg", dpi)


def draw_traces(pathways: pd.DataFrame, traces: pd.DataFrame, dpi: int) -> str:
    """One small panel per pathway."""
    names = list(pathways["pathway"])
    lines = -(-len(names) // _COLUMNS)
    with style():
        figure = new_figure(10.0, 0.4 + 1.5 * lines)
        for index, row in enumerate(pathways.to_dict("records")):
            axes = figure.add_subplot(lines, min(_COLUMNS, len(names)), index + 1)
            own = traces[traces["pathway"] == row["pathway"]]
            axes.fill_between(own["time"], own["mean"] - own["sd"], own["mean"] + own["sd"],
                              color=OURS, alpha=0.2, linewidth=0)  # fmt: skip
            axes.plot(own["time"], own["mean"], color=OURS)
            sign = -1.0 if row["reversal"] < row["hold"] else 1.0
            if np.isfinite(row["published_psp"]):
                axes.axhline(sign * row["published_psp"], color=RECORDED, linewidth=0.8,
                             linestyle="--")  # fmt: skip
            axes.set_title(row["pathway"], fontsize=7)
            axes.tick_params(labelsize=6)
            axes.set_ylabel("mV" if index % _COLUMNS == 0 else "")
            axes.set_xlabel("ms" if index >= len(names) - _COLUMNS else "")
        return encode(figure, "svg", dpi)
