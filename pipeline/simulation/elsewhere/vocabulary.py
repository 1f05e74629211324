"""What BMTK's engines make of every key of a simulation config; keys beyond it are named.

BMTK passes over keys and report modules it does not know (at most with a line in its log), so a config
made for another tool would run as something else. The tables below were taken from BMTK 1.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import Problem
from pipeline.simulation.elsewhere.bbp import check_bbp
from pipeline.simulation.elsewhere.keys import unknown_keys
from pipeline.simulation.elsewhere.read import ALLEN, Elsewhere

TOP = {
    "run", "conditions", "inputs", "output", "reports", "components", "networks", "node_sets",
    "node_sets_file", "target_simulator", "version", "name", "description", "metadata",
}  # fmt: skip
RUN = {
    "bionet": {"tstop", "dt", "dL", "spike_threshold", "nsteps_block", "use_old_import3d"},
    "pointnet": {
        "tstop", "duration", "dt", "block_run", "block_size", "n_thread", "print_time", "precise_times",
        "allow_offgrid_spikes",
    },
}  # fmt: skip
# Keys without any effect on what is computed, in BMTK and here.
HARMLESS_RUN = {"overwrite_output_dir", "dL", "spike_threshold", "nsteps_block", "print_time"}
CONDITIONS = {"bionet": {"v_init", "celsius"}, "pointnet": set()}
OUTPUT = {
    "output_dir", "log_file", "log_level", "log_format", "log_to_console", "quiet_simulator",
    "spikes_file", "spikes_file_csv", "spikes_file_nwb", "spikes_sort_order", "compression",
    "cache_to_disk", "overwrite_output_dir",
}  # fmt: skip
COMMON_INPUT = {"input_type", "module", "node_set", "enabled"}
SPIKES = {"input_file", "population", "trial", "units", "timestamps_units"}
CLAMP = {"amp", "delay", "duration", "input_file", "file", "amplitude"}
PLACE = {"section_name", "section_index", "section_dist"}
SWEEP = {"sweep_id", "gids", "delays"}
INPUTS: dict[str, dict[str, set[str]]] = {
    "bionet": {
        **dict.fromkeys(("nwb", "csv", "sonata", "h5"), SPIKES),
        "IClamp": CLAMP | PLACE | SWEEP,
        "SEClamp": {"amplitude", "amplitudes", "durations", "duration", "resistance", "vc"} | PLACE | CLAMP,
        "xstim": {
            "positions_file", "waveform", "mesh_files_dir", "cells", "set_nrn_mechanisms", "resistance",
        },
        "comsol": {"comsol_files", "waveforms", "amplitudes", "cells", "set_nrn_mechanisms"},
        "syn_activity": {"precell_filter", "postcell_filter", "timestamps"},
        "replay": {"spikes_file", "edges", "source_node_set", "target_node_set"},
    },
    "pointnet": {
        **dict.fromkeys(("nwb", "csv", "sonata", "h5", "hdf5"), SPIKES | {"use_parrot_neurons"}),
        "IClamp": CLAMP | SWEEP,
    },
}  # fmt: skip
COMMON_REPORT = {"module", "enabled", "file_name", "tmp_dir"}
MEMBRANE = {
    "cells", "variable_name", "sections", "buffer", "transform", "dt", "start_time", "end_time",
}  # fmt: skip
REPORTS: dict[str, dict[str, set[str]]] = {
    "bionet": {
        "membrane_report": MEMBRANE,
        "netcon_report": MEMBRANE | {"syn_type"},
        "clamp_report": {"variable_name", "buffer"},
        "extracellular": {
            "cells", "variable_name", "electrode_positions", "electrode_channels", "contributions_dir",
            "cell_bounds", "minimum_distance",
        },
        "save_synapses": {"network_dir", "single_file"},
        "spikes_report": OUTPUT | {"spikes_file"},
    },
    "pointnet": {
        **dict.fromkeys(
            ("membrane_report", "multimeter_report", "multimeter"),
            {"cells", "variable_name", "tstart", "tstop", "interval", "to_h5", "delete_dat", "sections"},
        ),
        "weight_recorder": {
            "nest_model", "model_template", "output_dir", "recorder_properties", "clean_temp_file",
        },
        "spikes_report": OUTPUT | {"spikes_file"},
    },
}  # fmt: skip
SIMULATORS = {"bionet": "NEURON", "pointnet": "NEST", "neurodamus": "NEURON"}
USERS_CODE = {"function", "ecephys_probe"}


def check(found: Elsewhere, engine: str) -> list[Problem]:
    """Names what an engine cannot express; warnings are what it passes over harmlessly.

    Args:
        found: The config.
        engine: bionet, pointnet or neurodamus.
    """
    where = str(found.path)
    if engine == "neurodamus" and found.dialect != ALLEN:
        return check_bbp(found) + _files(found)
    if engine == "neurodamus":
        message = "is in the Allen dialect (node types tables), which neurodamus does not read"
        return [Problem(where, message, "use --engine bionet or pointnet")]
    if found.dialect != ALLEN:
        message = f"is in the BBP dialect (no node types tables), which {engine} does not read"
        return [Problem(where, message, "use --engine neurodamus")]
    config = found.config
    problems = []
    if found.simulator not in (SIMULATORS[engine], ""):
        message = f"is for {found.simulator}; engine {engine} is {SIMULATORS[engine]}"
        problems.append(Problem(f"{where}  target_simulator", message, "choose the other engine"))
    problems += unknown_keys(where, "", config, TOP)
    problems += unknown_keys(where, "run", config["run"], RUN[engine], HARMLESS_RUN)
    problems += unknown_keys(
        where, "conditions", config.get("conditions", {}), CONDITIONS[engine],
        {"v_init", "celsius"} if engine == "pointnet" else (),
    )  # fmt: skip
    problems += unknown_keys(where, "output", config.get("output", {}), OUTPUT)
    for key, entry in config.get("inputs", {}).items():
        problems += _entry(where, f"inputs.{key}", entry, INPUTS[engine], COMMON_INPUT)
    for key, entry in config.get("reports", {}).items():
        problems += _entry(where, f"reports.{key}", entry, REPORTS[engine], COMMON_REPORT)
    return problems + _files(found)


def _entry(
    where: str, at: str, entry: Any, modules: dict[str, set[str]], common: set[str]
) -> list[Problem]:
    """Module and keys of one input or report."""
    if not isinstance(entry, dict):
        return [Problem(f"{where}  {at}", f"is {entry!r}", "write an object")]
    if not entry.get("enabled", True):
        return []
    module = entry.get("module")
    if module in modules:
        return unknown_keys(where, at, entry, modules[module] | common)
    if module in USERS_CODE:
        message = f"module {module!r} needs Python code that no config holds"
        return [Problem(f"{where}  {at}", message, "run it by BMTK from a script")]
    hint = f"known modules: {', '.join(sorted(modules))}"
    return [Problem(f"{where}  {at}", f"module {module!r} is not supported", hint)]


def _files(found: Elsewhere) -> list[Problem]:
    """Files that the config names and that are not there."""
    problems = []
    for kind in ("nodes", "edges"):
        for index, entry in enumerate(found.config["networks"].get(kind, [])):
            for key in (f"{kind}_file", f"{kind[:-1]}_types_file"):
                name = entry.get(key)
                if name and not (found.path.parent / name).is_file():
                    place = f"{found.path}  networks.{kind}[{index}].{key}"
                    problems.append(Problem(place, f"{name} does not exist", "check the manifest"))
    for key, entry in found.config.get("inputs", {}).items():
        files = entry.get("input_file") if entry.get("enabled", True) else None
        for name in files if isinstance(files, list) else [files] if files else []:
            if not (found.path.parent / Path(name)).is_file():
                place = f"{found.path}  inputs.{key}.input_file"
                problems.append(Problem(place, f"{name} does not exist", "check the manifest"))
    return problems
