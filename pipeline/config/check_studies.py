"""Checks of what is done with a circuit: gains, paired recordings, changes, activity of populations."""

from __future__ import annotations

from pipeline.config.checking import Check
from pipeline.config.psp import Psp
from pipeline.config.simulation import Simulation
from pipeline.config.yaml_lines import KeyPath


def check_perturb(check: Check) -> None:
    """Finds a variant, nodes and edges of a changed circuit that are not there."""
    config = check.model.perturb
    if config is None:
        return
    variants = [p.stem for p in (check.folder / "variants").glob("*.yaml")]
    check.one_of(("perturb", "of"), config.of, ["default", *variants], "variant")
    if config.of == check.model.variant:
        check.report(("perturb", "of"), "is this variant itself", "name the one it changes")
    if check.model.report.fits:
        message = "a changed circuit has no morphologies of its own to fit e-models on"
        check.report(("report", "fits"), message, "set report.fits: []")
    for index, step in enumerate(config.steps):
        at: KeyPath = ("perturb", "steps", index)
        if step.kind == "remove":
            check.one_of((*at, "nodes"), step.nodes, check.node_sets, "node population or set")
        if step.kind == "shuffle":
            check.one_of((*at, "edges"), step.edges, list(check.model.edges), "edges")


def check_damage(check: Check) -> None:
    """Finds parts of a study of damage that are not there or are of another kind."""
    config, model = check.model.damage, check.model
    if config is None:
        return
    path: KeyPath = ("damage",)
    contacts = [name for name, edges in model.edges.items() if edges.kind == "contacts"]
    driven = [name for name, b in model.behaviours.items() if b.drive.kind == "circuit"]
    fitted = [name for name, t in model.training.items() if t.kind == "correlation"]
    check.one_of((*path, "edges"), config.edges, contacts, "edges of kind contacts")
    check.one_of((*path, "behaviour"), config.behaviour, driven, "behaviour that a circuit drives")
    check.one_of((*path, "training"), config.training, fitted, "training of kind correlation")
    check.one_of((*path, "control"), config.control, list(config.changes), "change")
    if config.training in fitted:
        for key in ("target", "currents"):
            file, at = getattr(model.training[config.training], key), ("training", config.training)
            if file:
                check.file((*at, key), file)
            else:
                check.report(at, f"has no {key}", "the damaged circuit runs under them")
    control = config.changes.get(config.control)
    if control and control.steps:
        at = (*path, "changes", config.control, "steps")
        check.report(at, "the control is changed", "leave its steps out")


def check_psp(check: Check) -> None:
    """Finds names and files of paired recordings that are not there."""
    config = check.model.psp
    if config is None:
        return
    check.one_of(("psp", "edges"), config.edges, list(check.model.edges), "edges")
    check.file(("psp", "targets"), config.targets)
    check_gains(check, ("psp",), config)
    steps = config.every / config.dt
    if abs(steps - round(steps)) > 1e-9 or steps < 1:
        message = f"{config.every:g} ms is no multiple of the time step {config.dt:g} ms"
        check.report(("psp", "every"), message, "choose a multiple")


def check_network(check: Check, cells: list[str]) -> None:
    """Finds populations and runs of ``analysis.network`` that are not there; ``cells`` have a membrane."""
    config = check.model.analysis.network
    if config is None:
        return
    path: KeyPath = ("analysis", "network")
    check.one_of((*path, "nodes"), config.nodes, cells, "node population with cells")
    for index, run in enumerate(config.runs):
        check.one_of((*path, "runs", index), run, list(check.model.simulation), "simulation")
    for run, simulation in check.model.simulation.items():
        looked_at = not config.runs or run in config.runs
        if looked_at and simulation.duration - config.skip < config.bin:
            message = (
                f"{config.skip:g} ms leave less than a bin ({config.bin:g} ms) of the run {run!r}"
            )
            hint = f"its duration is {simulation.duration:g} ms: skip less, or name other runs"
            check.report((*path, "skip"), message, hint)


def check_gains(check: Check, path: KeyPath, simulation: Simulation | Psp) -> None:
    """Finds tables, edges and node sets of gains that are not there."""
    for index, file in enumerate(simulation.gain_tables):
        check.file((*path, "gain_tables", index), file)
    for index, gain in enumerate(simulation.gains):
        at: KeyPath = (*path, "gains", index)
        check.one_of((*at, "edges"), gain.edges, list(check.model.edges), "edges")
        for side in ("source", "target"):
            if name := getattr(gain, side):
                check.one_of((*at, side), name, check.node_sets, "node population or set")


def check_lfp(check: Check, path: KeyPath, simulation: Simulation, reachable: list[str]) -> None:
    """Electrodes of a run."""
    at, lfp = (*path, "lfp"), simulation.lfp
    check.one_of((*at, "nodes"), lfp.nodes, reachable, "node population or set")
    check_every(check, at, lfp.every, simulation.dt)


def check_every(check: Check, path: KeyPath, every: float, dt: float) -> None:
    """Intervals of records are whole numbers of time steps."""
    steps = every / dt
    if abs(steps - round(steps)) > 1e-9 or steps < 1:
        message = f"{every:g} ms is no multiple of the time step {dt:g} ms"
        check.report((*path, "every"), message, "choose a multiple")
