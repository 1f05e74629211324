"""Chooses, draws and captions the figures of the report from what a circuit has."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.analysis.clamp import read_clamp
from pipeline.config.load import Resolved
from pipeline.report import plots
from pipeline.report.anatomy import MOST_CELLS, Shapes, draw_anatomy, load_shapes
from pipeline.report.style import Figure
from pipeline.sonata.layout import CircuitPaths

_CONTACT_COLUMNS = ["edges", "kind", "pre", "post", "distance_um", "x_um", "y_um", "z_um"]


@dataclass
class Tables:
    """The analysis tables of one circuit; those that were not made are empty.

    Attributes:
        resolved: The model.
        paths: The circuit.
        loaded: Name to table, filled on first use.
    """

    resolved: Resolved
    paths: CircuitPaths
    loaded: dict[str, pd.DataFrame] = field(default_factory=dict)

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self.loaded:
            path = self.paths.analysis(name)
            # A cell may be called NA or nan; only an empty field is missing.
            table = (
                pd.read_csv(path, keep_default_na=False, na_values=[""])
                if path.is_file()
                else pd.DataFrame()
            )
            self.loaded[name] = table
        return self.loaded[name]

    @cached_property
    def shapes(self) -> Shapes | None:
        """The neurites of all cells; None without a cell table."""
        if self.resolved.model.cells is None:
            return None
        suffix = self.resolved.model.cells.morphologies.format
        return load_shapes(self.paths, self["cells"], suffix)

    def link(self, name: str) -> str:
        """Path of a table as seen from the report page."""
        return self.paths.analysis(name).relative_to(self.paths.report_page.parent).as_posix()

    def command(self, stage: str) -> str:
        """The command that runs a stage of this model and variant."""
        model = self.resolved.model
        words = ["sonatina", stage, model.name]
        bare = model.variant == (model.default_variant or "default")
        return " ".join(words if bare else [*words, model.variant])

    def metric(self, name: str) -> float | None:
        """Our value of a metric; None when it was not measured."""
        table = self["metrics"]
        found = table.loc[table["metric"] == name, "value"] if len(table) else []
        return float(found.iloc[0]) if len(found) else None

    def published(self, name: str) -> float | None:
        """The published value of a metric that applies to this model; None otherwise."""
        table = self["verdicts"]
        if table.empty:
            return None
        rows = table[(table["metric"] == name) & (table["verdict"] != "not applicable")]
        return float(rows["published"].iloc[0]) if len(rows) else None


def circuit_figures(tables: Tables) -> list[Figure]:
    """Anatomy, type matrix, degrees and contact distances."""
    options, cells = tables.resolved.model.report, tables["cells"]
    contacts, found = tables["contact_distances"], []
    if tables.shapes is not None:
        found.append(_anatomy(tables, tables.shapes, cells, contacts))
    if len(tables["type_matrix"]):
        uri = plots.draw_type_matrix(tables["type_matrix"], options.colours, options.dpi)
        found.append(
            Figure(
                "types", "Contacts between cell types", uri,
                "Matrix of contact counts from type to type, chemical and electrical",
                "Counted over all contacts of the built circuit; rows send, columns receive, "
                "colour on a logarithmic scale. An electrical junction counts once from each side.",
                (tables.link("type_matrix"),), tables.command("analyse"),
            )
        )  # fmt: skip
    if len(tables["degrees"]):
        uri = plots.draw_degrees(tables["degrees"], options.dpi)
        found.append(
            Figure(
                "degrees", "Degrees, circuit against connectome", uri,
                "Scatter plots of partners and contacts per cell against the connectome",
                "One point per cell and direction. Left: a cell on the line has all the partners "
                "that the connectome gives it within the circuit; a cell below it lost pairs that "
                "are too far apart, or itself as a partner. Middle: contacts against the "
                "connectome's count; the law that turns counts into contacts saturates.",
                (tables.link("degrees"),), tables.command("analyse"),
            )
        )  # fmt: skip
    if len(contacts) and contacts["distance_um"].gt(0).any():
        published = [tables.published(f"{name}.distance_median") for name in contacts["edges"]
                     .unique()]  # fmt: skip
        value = next((v for v in published if v is not None), None)
        found.append(
            Figure(
                "distances", "Distance bridged by a contact",
                plots.draw_distances(contacts, value, options.dpi),
                "Histogram of contact distances",
                "Straight line between the two places of each contact, all contacts, logarithmic "
                "bins; lines mark the medians.",
                (tables.link("contact_distances"),), tables.command("analyse"),
            )
        )  # fmt: skip
    return found


def _anatomy(tables: Tables, shapes: Shapes, cells: pd.DataFrame, contacts: pd.DataFrame) -> Figure:
    frame = contacts if len(contacts) else pd.DataFrame(columns=[*_CONTACT_COLUMNS, "inhibitory"])
    uri = draw_anatomy(shapes, cells["type"].astype(str), frame, tables.resolved.model.report.dpi)
    sampled = "" if len(cells) <= MOST_CELLS else f" {len(shapes.drawn)} of {len(cells)} cells."
    links = tuple(tables.link(n) for n in ("cells", "contact_distances") if len(tables[n]))
    level = tables.resolved.model.cells.level
    point = " Each cell is simulated as one compartment." if level == "single_compartment" else ""
    caption = (
        "Every neurite of the circuit, seen along its shortest axis "
        f"({shapes.axes[0]} to the right, {shapes.axes[1]} up), coloured by cell type; dots are "
        "somata. The close-ups show the stretch with most contacts, from the side and along the "
        f"long axis, each contact at its place on the receiving cell.{sampled}{point}"
    )
    return Figure(
        "anatomy", "The circuit in space", uri,
        "Side view of all neurites coloured by cell type, with close-ups of the contacts",
        caption, links, tables.command("analyse"),
    )  # fmt: skip


def clamp_figures(tables: Tables) -> list[Figure]:
    """One figure of all protocols that have been run."""
    rows, links = [], []
    described = tables.resolved.model.cells
    for name, protocol in (described.protocols if described else {}).items():
        steady = read_clamp(tables.paths, name)
        if steady is None:
            continue
        traces = tables[f"clamp_{name}_traces"]
        title = f"{name}: {protocol.kind.replace('_', ' ')} of {protocol.cell}"
        rows.append((title, protocol.kind, steady, traces if len(traces) else None))
        links.append(tables.link(f"clamp_{name}"))
        links += [tables.link(f"clamp_{name}_traces")] if len(traces) else []
    if not rows:
        return []
    options = tables.resolved.model.report
    figure = Figure(
        "clamps", "Single cells under clamp", plots.draw_clamps(rows, options.colours, options.dpi),
        "Clamp traces and steady-state curves of each protocol",
        "Left: soma response to each step, our model, one colour per level (axes of voltage clamps "
        "cut the capacitive transients). Right: mean over the protocol's window, ours beside the "
        "recording and the published model.",
        tuple(links), tables.command("cells"),
    )  # fmt: skip
    return [figure]


def activity_figures(tables: Tables) -> list[Figure]:
    """Voltage map, traces, input and correlation matrices of every simulation."""
    found, options = [], tables.resolved.model.report
    cells = tables["cells"]
    types = dict(zip(cells.get("name", []), cells.get("type", []), strict=True))
    types = {str(name): str(kind) for name, kind in types.items()}
    for name, simulation in tables.resolved.model.simulation.items():
        for record in simulation.record:
            table = tables[f"voltage_{name}_{record}"]
            if len(table):
                nodes = simulation.record[record].nodes
                found += _voltage(tables, name, record, table, types | _types(tables, nodes, table))
        for key in simulation.inputs:
            table = tables[f"input_{name}_{key}"]
            if len(table):
                found.append(_input(tables, name, key, table))
    wanted = tables.resolved.model.analysis.correlation
    if wanted and len(tables[f"correlation_{wanted.simulation}"]):
        found.append(_correlations(tables, wanted.simulation, wanted.skip, options.dpi))
    return found


def _types(tables: Tables, nodes: str, table: pd.DataFrame) -> dict[str, str]:
    """M-types of cells without names, whose ids stand in the place of names; "cell" where unknown."""
    somata = tables[f"somata_{nodes}"]
    known = dict(zip(somata.get("node_id", []), somata.get("mtype", []), strict=True))
    kinds = {str(node): str(kind) for node, kind in known.items()}
    ids = [name for name in table.columns[1:] if name.isdecimal()]
    return {name: kinds.get(name, "cell") for name in ids}


def _voltage(
    tables: Tables, name: str, record: str, table: pd.DataFrame, types: dict[str, str]
) -> list[Figure]:
    options = tables.resolved.model.report
    link = (tables.link(f"voltage_{name}_{record}"), tables.link("cells"))
    command = _both(tables)
    steps = np.diff(table["time_ms"])
    every = f"every {steps[0]:g} ms" if len(steps) else "once"
    chosen = plots.choose_traces(table, types, options.traces)
    return [
        Figure(
            f"map-{name}-{record}", f"{name}: voltage of all cells",
            plots.draw_voltage_map(table, types, options.colours, options.dpi),
            "Heat map of soma voltage, cells by time",
            f"Soma voltage sampled {every}, one row per cell, sorted by type; the colour range "
            "covers the 1st to 99th percentile.",
            link, command,
        ),
        Figure(
            f"traces-{name}-{record}", f"{name}: selected cells",
            plots.draw_traces(table, types, chosen, options.dpi),
            "Soma voltage of selected cells over time",
            "Of each type in turn the cell whose voltage varies most. Each trace is shifted by its "
            "median after the first tenth of the run (the number at its right); one scale for all.",
            link, command,
        ),
    ]  # fmt: skip


def _both(tables: Tables) -> str:
    return f"{tables.command('simulate')} && {tables.command('analyse')}"


def _input(tables: Tables, name: str, key: str, table: pd.DataFrame) -> Figure:
    return Figure(
        f"input-{name}-{key}", f"{name}: input “{key}”",
        plots.draw_input(table, tables.resolved.model.report.dpi),
        "Injected current over time",
        f"Current into {table.shape[1] - 1} somata as the simulator received it, "
        + ("the same at all times." if len(table) == 1 else f"thinned to {len(table)} samples."),
        (tables.link(f"input_{name}_{key}"),), _both(tables),
    )  # fmt: skip


def _correlations(tables: Tables, simulation: str, skip: float, dpi: int) -> Figure:
    table = tables[f"correlation_{simulation}"]
    mse, pairs = tables.metric("correlation.mse"), tables.metric("correlation.pairs")
    size = len(set(table["a"]) | set(table["b"]))
    error = f"Mean squared error {mse:.3g} over {pairs:.0f} pairs. " if mse is not None else ""
    flat = tables.metric("correlation.constant_traces") or 0
    missing = tables.metric("correlation.cells_missing") or 0
    window = f"the run after its first {skip:g} ms" if skip else "the whole run"
    caption = (
        f"Pearson correlation of soma voltages over {window}, beside "
        f"the published matrix of {size} neurons. {error}Both in the order of the published "
        f"matrix's leading eigenvector; grey is undefined. Constant traces: {flat:.0f}; published "
        f"cells not in the circuit: {missing:.0f}."
    )
    return Figure(
        "correlations", f"{simulation}: correlations, ours and published",
        plots.draw_correlations(table, dpi),
        "Two correlation matrices side by side, ours and the published one",
        caption, (tables.link(f"correlation_{simulation}"),), tables.command("analyse"),
    )  # fmt: skip
