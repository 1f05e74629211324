"""What neurodamus makes of every key of a simulation config in the BBP dialect; keys beyond it are named.

libsonata passes over keys it does not know, so that a misspelt one would run as if it were not there. The
tables were taken from neurodamus 4.2.9 and libsonata 0.2.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import Problem
from pipeline.simulation.elsewhere.keys import unknown_keys
from pipeline.simulation.elsewhere.read import Elsewhere

TOP = {
    "version", "run", "conditions", "output", "networks", "node_set", "node_sets_file", "inputs",
    "reports", "connection_overrides", "compartment_sets_file", "target_simulator", "metadata",
    "beta_features", "components",
}  # fmt: skip
RUN = {
    "tstop", "dt", "random_seed", "spike_threshold", "integration_method", "stimulus_seed",
    "ionchannel_seed", "minis_seed", "synapse_seed",
}  # fmt: skip
CONDITIONS = {
    "celsius", "v_init", "spike_location", "extracellular_calcium", "randomize_gaba_rise_time",
    "mechanisms", "modifications",
}  # fmt: skip
OUTPUT = {"output_dir", "log_file", "spikes_file", "spikes_sort_order"}
OVERRIDE = {
    "name", "source", "target", "weight", "spont_minis", "synapse_configure", "modoverride",
    "synapse_delay_override", "delay", "neuromodulation_dtc", "neuromodulation_strength",
}  # fmt: skip
_INPUT = {"input_type", "module", "delay", "duration", "node_set", "compartment_set"}
_ELECTRODE = {"represents_physical_electrode"}
_NOISE = _ELECTRODE | {"dt", "random_seed", "reversal"}
_SHOTS = _NOISE | {"rise_time", "decay_time"}
INPUTS: dict[str, set[str]] = {
    "linear": _ELECTRODE | {"amp_start", "amp_end"},
    "relative_linear": _ELECTRODE | {"percent_start", "percent_end"},
    "pulse": _ELECTRODE | {"amp_start", "width", "frequency"},
    "sinusoidal": _ELECTRODE | {"amp_start", "frequency", "dt"},
    "subthreshold": _ELECTRODE | {"percent_less"},
    "hyperpolarizing": _ELECTRODE,
    "noise": _ELECTRODE | {"mean", "mean_percent", "variance"},
    "shot_noise": _SHOTS | {"rate", "amp_mean", "amp_var"},
    "relative_shot_noise": _SHOTS | {"mean_percent", "sd_percent", "relative_skew"},
    "absolute_shot_noise": _SHOTS | {"mean", "sigma", "relative_skew"},
    "ornstein_uhlenbeck": _NOISE | {"mean", "sigma", "tau"},
    "relative_ornstein_uhlenbeck": _NOISE | {"mean_percent", "sd_percent", "tau"},
    "seclamp": {"voltage", "series_resistance", "duration_levels", "voltage_levels"},
    "spatially_uniform_e_field": {"fields", "ramp_up_time", "ramp_down_time"},
    "synapse_replay": {"spike_file"},
    "replay": {"path", "interpolate"},
}
HARMLESS = {"synapse_replay": {"source"}}
"""Keys of an earlier SONATA; the spikes' file says whose they are."""
REPORT = {
    "type", "cells", "sections", "compartments", "variable_name", "unit", "dt", "start_time",
    "end_time", "file_name", "enabled", "scaling", "compartment_set",
}  # fmt: skip
REPORTS = ("compartment", "compartment_set", "summation", "synapse")
MODIFICATION = {"name", "type", "node_set", "compartment_set", "section_configure"}


def check_bbp(found: Elsewhere) -> list[Problem]:
    """Names what neurodamus cannot express; warnings are what it passes over harmlessly."""
    where, config = str(found.path), found.config
    problems = []
    if found.simulator not in ("NEURON", "CORENEURON", ""):
        message = f"is for {found.simulator}; neurodamus runs on NEURON"
        problems.append(Problem(f"{where}  target_simulator", message, "choose another engine"))
    elif found.simulator == "CORENEURON":
        # CoreNEURON writes neurodamus' reports by libsonatareport, which no wheel has.
        message = "is CORENEURON; NEURON runs it here"
        problems.append(Problem(f"{where}  target_simulator", message, level="warning"))
    problems += unknown_keys(where, "", config, TOP)
    for key, known in (("run", RUN), ("conditions", CONDITIONS), ("output", OUTPUT)):
        problems += unknown_keys(where, key, config.get(key, {}), known)
    for at, entry in _entries(config.get("connection_overrides", []), "connection_overrides"):
        problems += unknown_keys(where, at, entry, OVERRIDE)
    changes = config.get("conditions", {}).get("modifications", [])
    for at, entry in _entries(changes, "conditions.modifications"):
        problems += unknown_keys(where, at, entry, MODIFICATION)
    for at, entry in _entries(config.get("inputs", {}), "inputs"):
        problems += _input(where, at, entry)
    for at, entry in _entries(config.get("reports", {}), "reports"):
        problems += _report(where, at, entry)
    return problems + _files(found)


def _entries(section: Any, at: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Entries of a list or object, with their places."""
    pairs = section.items() if isinstance(section, dict) else enumerate(section)
    for key, entry in pairs:
        yield (f"{at}.{key}" if isinstance(section, dict) else f"{at}[{key}]"), entry


def _input(where: str, at: str, entry: Mapping[str, Any]) -> list[Problem]:
    module = entry.get("module")
    if module not in INPUTS:
        hint = f"known modules: {', '.join(sorted(INPUTS))}"
        return [Problem(f"{where}  {at}", f"module {module!r} is not supported", hint)]
    return unknown_keys(where, at, entry, INPUTS[module] | _INPUT, HARMLESS.get(module, ()))


def _report(where: str, at: str, entry: Mapping[str, Any]) -> list[Problem]:
    if not entry.get("enabled", True):
        return []
    kind = entry.get("type")
    if kind not in REPORTS:
        hint = f"known types: {', '.join(REPORTS)}"
        message = f"type {kind!r} is not supported"
        if kind == "lfp":
            message += (
                ": neurodamus leaves it to CoreNEURON and libsonatareport, which no wheel has"
            )
        return [Problem(f"{where}  {at}", message, hint)]
    return unknown_keys(where, at, entry, REPORT)


def _files(found: Elsewhere) -> list[Problem]:
    """Spike files and folders of cells that are not there; nodes and edges are looked at elsewhere."""
    folder, problems = found.path.parent, []
    for at, entry in _entries(found.config.get("inputs", {}), "inputs"):
        name = entry.get("spike_file")
        if name and not (folder / Path(name)).is_file():
            place = f"{found.path}  {at}.spike_file"
            problems.append(Problem(place, f"{name} does not exist", "check the manifest"))
    return problems
