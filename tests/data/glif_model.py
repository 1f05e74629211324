"""A network of GLIF cells for tests: 40 excitatory, 10 inhibitory, 5 sources, all three kinds of input."""

from __future__ import annotations

from pathlib import Path

import yaml

CELLS = """cell_class,C,g,E_L,threshold,V_reset,t_ref,asc_amps_1,asc_decay_1,source
e,0.1,0.005,-70,-50,-70,3,-0.02,0.01,assumed
i,0.05,0.01,-65,-45,-65,1.5,0.01,0.1,assumed
"""
PSC = [{"tau": tau} for tau in (5.5, 8.5, 2.8, 5.8)]
KINDS = {
    "psc": PSC,
    "psc_double_alpha": [
        p | {"tau_slow": 12.0 + k, "amp_slow": 0.3} for k, p in enumerate(PSC)
    ],
    "cond": [p | {"E_rev": e} for p, e in zip(PSC, (0, -80, 0, -80), strict=True)],
}  # fmt: skip


def write_model(folder: Path, synapse: str = "psc", **run) -> Path:
    """Writes the model with one run per engine; returns its file.

    Args:
        folder: Where it goes.
        synapse: Kind of synapse.
        run: Further keys of every run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cells.csv").write_text(CELLS)
    sign = 1.0 if synapse == "cond" else -1.0
    size = 0.4 if synapse == "cond" else 25.0
    weights = {"e": {"e": size, "i": size}, "i": {"e": sign * 2 * size, "i": sign * size}}
    by = {"source_by": "cell_class", "target_by": "cell_class"}
    ports = {"e": {"e": "ee.json", "i": "ei.json"}, "i": {"e": "ie.json", "i": "ii.json"}}
    kind = "conductance" if synapse == "cond" else "current"

    def rule(name, connect, weight, delay, columns, nsyns=1):
        synapses = {
            "weight_kind": kind, "weight": {"law": "constant", "value": weight}, "delay": delay,
            "nsyns": nsyns, "columns": {"model_template": "static_synapse"} | columns,
        }  # fmt: skip
        return {"kind": "rules", "rules": [{"name": name, "connect": connect, "synapse": synapses}]}

    types = {
        "exc": {"count": 40, "labels": {"cell_class": "e"}},
        "inh": {"count": 10, "labels": {"cell_class": "i"}},
    }
    inputs = {
        "noise": {"kind": "poisson", "nodes": "noise", "rate": "300 Hz"},
        "step": {
            "kind": "step",
            "nodes": "e",
            "times": [0, 40, 90.3],
            "amplitudes": [0.02, 0.12, 0],
        },
        "ou": {"kind": "noise", "nodes": "i", "mean": 0.05, "sd": 0.1},
    }
    common = {
        "dt": "0.1 ms", "duration": "200 ms", "inputs": inputs,
        "record": {"v": {"nodes": "cells", "precision": "double"}},
    } | run  # fmt: skip
    model = {
        "schema": 1,
        "name": "glif",
        "mechanisms": ["glif"],
        "nodes": {
            "cells": {
                "kind": "placed", "labels": ["cell_class"], "types": types,
                "sets": ["cell_class"],
                "cell_models": {
                    "all": {"kind": "glif", "table": "cells.csv", "synapse": synapse,
                            "ports": KINDS[synapse]}
                },
            },
            "noise": {"kind": "placed", "model_type": "virtual", "types": {"src": {"count": 5}}},
        },
        "synapse_models": {
            f"{name}.json": {"receptor_type": k + 1} for k, name in enumerate(("ee", "ie", "ei", "ii"))
        },
        "edges": {
            "inner": {"source": "cells", "target": "cells"} | rule(
                "inner", [{"law": "probability", "value": 0.3}], {"values": weights} | by,
                {"law": "lognormal", "mean": 1.5, "sd": 0.5},
                {"dynamics_params": {"values": ports} | by},
                {"law": "uniform_integer", "low": 1, "high": 3},
            ),
            "outer": {"source": "noise", "target": "cells"} | rule(
                "outer", [{"law": "all_to_all"}], size, {"law": "constant", "value": 1.0},
                {"dynamics_params": "ee.json"}, {"law": "constant", "value": 1},
            ),
        },
        "simulation": {
            "neuron": common | {"engine": "bionet", "ranks": 1},
            "core": common | {"engine": "bionet", "coreneuron": True, "ranks": 1},
            "nest": common | {"engine": "pointnet", "threads": 1},
        },
    }  # fmt: skip
    path = folder / "model.yaml"
    path.write_text(yaml.safe_dump(model, sort_keys=False))
    return path
