"""Figures of populations whose cells draw morphologies, with their captions."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.cells.morphology import read_morphology
from pipeline.config.placement import PlacedNodes
from pipeline.config.stages import drawn_shapes
from pipeline.report import column_plots
from pipeline.report.figures import Tables
from pipeline.report.rule_plots import class_colours
from pipeline.report.style import EXCITATORY, INHIBITORY, PALETTE, Figure

_CLASSES = {"EXC": EXCITATORY, "INH": INHIBITORY}
_OTHER = "other"


def column_figures(tables: Tables) -> list[Figure]:
    """Somata, neurites, numbers per type and density over depth."""
    found = []
    for name in drawn_shapes(tables.resolved.model):
        somata = tables[f"somata_{name}"]
        if len(somata):
            found += [
                _somata(tables, name, somata),
                *_neurites(tables, name, somata),
                _counts(tables, name),
                _depths(tables, name),
            ]
    return found


def layers_of(nodes: PlacedNodes, used: pd.Series) -> dict[str, tuple[float, float]]:
    """Layers of the cell types, from the pia down: name to top and bottom, um."""
    known = [(name, tuple(nodes.layers[name])) for name in used.unique() if name in nodes.layers]
    return dict(sorted(known, key=lambda item: item[1]))


def family(mtypes: pd.Series) -> pd.Series:
    """The kind of cell of an m-type without its layer; those of pyramidal cells joined."""
    kind = mtypes.str.split("_", n=1).str[1].str.replace(r"_.*", "", regex=True)
    kind = kind.str.replace(r"^.*PC\d?$", "PC", regex=True)
    return kind.replace({"LBC": "basket", "NBC": "basket", "SBC": "basket", "MC": "Martinotti",
                         "ChC": "chandelier", "DBC": "bipolar kinds", "BP": "bipolar kinds",
                         "BTC": "bipolar kinds", "NGC": "neurogliaform",
                         "NGC-DA": "neurogliaform", "NGC-SA": "neurogliaform",
                         "DAC": "layer 1", "DLAC": "layer 1", "HAC": "layer 1",
                         "SLAC": "layer 1"})  # fmt: skip


def _layer_colours(layers: Mapping[str, object]) -> dict[str, str]:
    return {name: PALETTE[k % len(PALETTE)] for k, name in enumerate(layers)}


def _somata(tables: Tables, name: str, somata: pd.DataFrame) -> Figure:
    nodes = tables.resolved.model.nodes[name]
    layers = layers_of(nodes, tables[f"placement_{name}"]["layer"])
    kinds = family(somata["mtype"])
    excitatory = set(kinds[somata["synapse_class"] == "EXC"])
    rare = class_colours(sorted(set(kinds) - excitatory))
    frame = somata.assign(inhibitory_cells=kinds)
    panels = {
        "layer": _layer_colours(layers),
        "synapse_class": _CLASSES,
        "inhibitory_cells": rare | dict.fromkeys(excitatory, ""),
    }
    total = tables.metric(f"nodes.{name}.cells") or len(somata)
    every = f"All {total:,.0f} cells" if len(somata) == total else (
        f"{len(somata):,} of {total:,.0f} cells, evenly thinned"
    )  # fmt: skip
    return Figure(
        f"somata-{name}", f"Somata of {name}",
        column_plots.draw_somata(frame, panels, tables.resolved.model.report.dpi),
        "Somata of the column from the side, coloured by layer, by synapse class and, for the "
        "inhibitory ones, by kind of cell; and from above",
        f"{every}. The pia is at the top. Third panel: inhibitory cells only, by kind.",
        (tables.link(f"somata_{name}"), tables.link(f"placement_{name}")),
        tables.command("analyse"),
    )  # fmt: skip


def _neurites(tables: Tables, name: str, somata: pd.DataFrame) -> list[Figure]:
    paths, nodes = tables.paths, tables.resolved.model.nodes[name]
    cells = column_plots.pick_cells(somata)
    files = {m: paths.morphologies / f"{m}.swc" for m in cells["morphology"].unique()}
    if not all(path.is_file() for path in files.values()):
        return []
    shapes = {m: read_morphology(path) for m, path in files.items()}
    layers = layers_of(nodes, tables[f"placement_{name}"]["layer"])
    uri = column_plots.draw_neurites(
        cells, shapes, _layer_colours(layers),
        {k: tuple(v) for k, v in layers.items()}, tables.resolved.model.report.dpi,
    )  # fmt: skip
    some = "All cells" if len(cells) == len(somata) else (
        f"{len(cells)} of {len(somata):,} cells: of each m-type in turn the one nearest to the axis"
    )  # fmt: skip
    return [
        Figure(
            f"neurites-{name}", f"Neurites of {name}", uri,
            "Dendrites and axons of some cells where they lie, coloured by the layer of the soma",
            f"{some}, coloured by the layer of the soma. Each is an instance of its morphology, "
            "turned about the pia axis by the quaternion of its node and put where its soma lies.",
            (tables.link(f"somata_{name}"),), tables.command("analyse"),
        )
    ]  # fmt: skip


def _counts(tables: Tables, name: str) -> Figure:
    placement, fit = tables[f"placement_{name}"], tables[f"fit_{name}"]
    by = tables.resolved.model.nodes[name].morphologies.by
    placement, fit = (t.rename(columns={by: "mtype"}) for t in (placement, fit))
    grouped = placement.groupby("mtype", sort=False)
    table = grouped.agg(
        synapse_class=("synapse_class", "first"), cells=("cells", "sum"),
        expected=("expected", "sum"),
    ).reset_index()  # fmt: skip
    table = table[(table["cells"] > 0) | (table["expected"] > 0)]
    types, some = len(placement), int((placement["cells"] > 0).sum())
    whole = fit[fit["rule"].isna()]
    unfit = int(whole["unmet"].sum())
    rules = fit[fit["rule"].notna()]
    unmet = rules[rules["unmet"] > 0]
    left = "; ".join(
        f"{row.mtype} {row.rule} ({row.unmet} of {row.cells})"
        for row in unmet.itertuples(index=False)
    )  # fmt: skip
    return Figure(
        f"counts-{name}", f"Cells per type of {name}, and how their morphologies fit",
        column_plots.draw_counts(table, whole, tables.resolved.model.report.dpi),
        "Bar charts of cells per m-type beside the published number at this size, and mean score "
        "of the morphologies that were drawn",
        f"{some} of {types} me-types have cells. Crosses: published numbers times scale (within the "
        "slab that is built); each total of layer, class, m-type and me-type is its share rounded "
        f"up or down. Right: score of the placement rules, from 0 to 1; for {unfit:,} cells no "
        "morphology scored above 0 (red) and the nearest one was taken. "
        + (f"Rules that no morphology meets, left out: {left}." if left else
           "Every rule is met by some morphology at every place."),
        (tables.link(f"placement_{name}"), tables.link(f"fit_{name}")), tables.command("nodes"),
    )  # fmt: skip


def _depths(tables: Tables, name: str) -> Figure:
    nodes = tables.resolved.model.nodes[name]
    layers = layers_of(nodes, tables[f"placement_{name}"]["layer"])
    table = tables[f"depth_{name}"]
    return Figure(
        f"depth-{name}", f"Density of {name} over depth",
        column_plots.draw_depths(table, layers, tables.resolved.model.report.dpi),
        "Cells per volume in slices of depth, excitatory and inhibitory, beside the published ones",
        "Slices of 25 µm. Grey: published cells of each layer over its volume. A border inside a "
        "slice mixes two layers.",
        (tables.link(f"depth_{name}"),), tables.command("analyse"),
    )  # fmt: skip
