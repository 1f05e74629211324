"""Random search, fixed seed, for the shipped e-models of V1: ``python bench/fit_cells.py E out.yaml``,
then ``python bench/fit_cells.py spread models/v1`` for the classes.

Six densities, leak, leak reversal and capacitance per family on the stand-in of one class. Targets are
class features (TARGETS: medians of the Allen fit files of the family, simulated by cell_features.py).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from cell_features import features

from pipeline import mechanisms
from pipeline.cells.description import CellDescription
from pipeline.cells.library import cell_classes, class_parts
from pipeline.cells.morphology import read_morphology
from pipeline.config.emodel import EModel
from pipeline.config.schema import OddLength
from pipeline.runtime import rng_for, write_text

STAND_IN = {"E": "e4", "Pvalb": "i4P", "Sst": "i4S", "Htr3a": "i2H"}
TARGETS = {
    "E": {"rest": -90.1, "rin": 196, "tau": 19.6, "rheobase": 0.1, "slope": 155},
    "Pvalb": {"rest": -89.0, "rin": 265, "tau": 19.8, "rheobase": 0.22, "slope": 361},
    "Sst": {"rest": -84.8, "rin": 213, "tau": 22.8, "rheobase": 0.1, "slope": 321},
    "Htr3a": {"rest": -82.8, "rin": 169, "tau": 6.9, "rheobase": 0.15, "slope": 324},
}
"""Medians over 15, 8, 8 and 9 models; mV, Mohm, ms, nA, Hz/nA."""

SPREAD = {"rest": 4.0, "rin": 0.25, "tau": 0.3, "rheobase": 0.05, "slope": 0.3}
"""Deviation that costs 1: mV for rest, nA for rheobase, shares of the target otherwise."""

LEVELS = (0.05, 0.1, 0.2, 0.3)
BOUNDS = {  # log-uniform; S/cm2, uF/cm2
    "g_pas": (1e-5, 3e-4),
    "cm": (0.7, 3.0),
    "NaTs": (0.2, 2.0),
    "Kv3_1": (0.05, 1.0),
    "K_T": (1e-3, 0.1),
    "Im": (1e-5, 5e-3),
    "SK": (1e-5, 5e-2),
    "Nap": (1e-5, 1e-3),
}


def emodel_of(family: str, x: dict[str, float]) -> EModel:
    """The form that all families share; x holds the searched numbers."""
    membrane = {"Ra": 150.0, "cm": x["cm"], "g_pas": x["g_pas"], "e_pas": x["e_pas"]}
    soma = {name: {"gbar": x[name]} for name in ("NaTs", "Kv3_1", "K_T", "Im", "SK", "Nap")}
    soma |= {
        "Ih": {"gbar": 1e-5},
        "Ca_HVA": {"gbar": 1e-4},
        "Ca_LVA": {"gbar": 1e-3},
        "CaDynamics": {"gamma": 0.005, "decay": 200.0},
    }
    return EModel.model_validate(
        {
            "schema": 1,
            "name": family,
            "source": "assumed",
            "passive": {"all": membrane},
            "mechanisms": {"soma": soma},
            "reversal": {"soma": {"ena": 53.0, "ek": -107.0}},
            "conditions": {"celsius": 34.0, "v_init": x["e_pas"]},
        }
    )


def cost(found: dict[str, float], family: str) -> float:
    """Sum of squared deviations in units of SPREAD; silent cells are worst."""
    total, target = 0.0, TARGETS[family]
    for key, spread in SPREAD.items():
        if not np.isfinite(found[key]):
            return 1e3
        scale = spread if key in ("rest", "rheobase") else spread * target[key]
        total += ((found[key] - target[key]) / scale) ** 2
    return total


def search(family: str, rounds: int, seed: int = 1) -> tuple[dict[str, float], dict[str, float]]:
    """Half of the rounds anywhere, half near the best with a shrinking step."""
    rng, target = rng_for(seed, f"fit/{family}"), TARGETS[family]
    low, high = (np.log([b[k] for b in BOUNDS.values()]) for k in (0, 1))
    with tempfile.TemporaryDirectory() as shapes:
        shape = class_parts("models/v1", STAND_IN[family], shapes)[1]
        morphology = read_morphology(shape, "stub")
    area = sum(s.area for s in morphology.sections) * 1e-8
    best, best_cost, best_found = None, np.inf, {}
    for index in range(rounds):
        if best is None or index < rounds // 2:
            point = low + (high - low) * rng.random(len(low))
            # Leak and capacitance start from what one compartment would need.
            point[0] = np.log(1e-6 / target["rin"] / area) + rng.normal(0, 0.2)
            point[1] = np.log(target["tau"] * 1e3 * np.exp(point[0])) + rng.normal(0, 0.15)
            shift = rng.normal(0, 2)
        else:
            step = 0.25 * 0.97 ** (index - rounds // 2)
            point = best[0] + step * rng.normal(size=len(low)) * [0.5, 0.5, 1, 1, 2, 2, 2, 2]
            shift = best[1] + 2 * step * rng.normal()
        point = np.clip(point, low, high)
        x = {k: float(f"{np.exp(v):.3g}") for k, v in zip(BOUNDS, point, strict=True)}
        x["e_pas"] = float(f"{target['rest'] + shift:.1f}")
        cell = CellDescription(morphology, emodel_of(family, x), OddLength(rule="odd_length"))
        found = features(cell, LEVELS)
        if (value := cost(found, family)) < best_cost:
            best, best_cost, best_found = (point, shift), value, found | {"cost": value}
            kept = x
            sys.stderr.write(f"{family} {index} {value:.2f} {x} {found}\n")
    return kept, best_found


def as_yaml(family: str, x: dict[str, float], found: dict[str, float], rounds: int) -> str:
    """The e-model file."""
    model = emodel_of(family, x)
    got = ", ".join(f"{k} {found[k]:.3g}" for k in SPREAD)
    lines = [
        "schema: 1",
        f"name: {family}",
        f"title: Stand-in for {family} cells of all layers",
        "source: >-",
        f"  assumed: found by bench/fit_cells.py ({rounds} rounds, seed 1) on the parametric stand-in of",
        f"  class {STAND_IN[family]}. Targets (medians of the family's perisomatic Allen models, simulated):",
        f"  {', '.join(f'{k} {v:g}' for k, v in TARGETS[family].items())}.",
        f"  Reached: {got} (mV, Mohm, ms, nA, Hz/nA).",
        "  Ra, Ih and the calcium set are hand-chosen; kinetics: mechanisms/allen.",
        "  Temperature and ion reversals as in the Allen files.",
        "passive:",
        "  all:",
        f"    Ra: {model.passive['all'].Ra:g} ohm cm",
        f"    cm: {x['cm']:g} uF/cm2",
        f"    g_pas: {x['g_pas']:g} S/cm2",
        f"    e_pas: {x['e_pas']:g} mV",
        "mechanisms:",
        "  soma:",
    ]
    for name, values in model.mechanisms["soma"].items():
        inside = ", ".join(f"{k}: {v:g}" for k, v in values.items())
        lines.append(f"    {name}: {{{inside}}}")
    lines += [
        "reversal:",
        "  soma: {ena: 53 mV, ek: -107 mV}",
        f"conditions: {{celsius: 34 degC, v_init: {x['e_pas']:g} mV}}",
    ]
    return "\n".join(lines) + "\n"


def spread(folder: str) -> None:
    """Writes one e-model per class: its family's, scaled to the class's stand-in.

    Leak and capacitance by the ratio of membrane areas, channels by that of the somata: total leak,
    capacitance and conductances stay those of the family's cell.
    """
    import yaml

    def areas(name, shapes):
        sections = read_morphology(class_parts(folder, name, shapes)[1], "stub").sections
        return sum(s.area for s in sections), sections[0].area

    with tempfile.TemporaryDirectory() as shapes:
        for name in cell_classes(folder):
            family = "E" if name[0] == "e" else {"P": "Pvalb", "S": "Sst", "H": "Htr3a"}[name[-1]]
            path = Path(folder) / "emodels" / f"{family}.yaml"
            data = yaml.safe_load(path.read_text())
            whole, soma = (
                a / b
                for a, b in zip(areas(STAND_IN[family], shapes), areas(name, shapes), strict=True)
            )
            data["name"], data["title"] = name, f"Stand-in for {name} cells"
            data["source"] = (
                f"assumed: {family}.yaml scaled to the parametric stand-in of {name} by "
                f"bench/fit_cells.py: cm and g_pas times {whole:.4g} (ratio of membrane areas), "
                f"densities times {soma:.4g} (ratio of somata)"
            )
            for key in ("cm", "g_pas"):
                number, unit = data["passive"]["all"][key].split(" ", 1)
                data["passive"]["all"][key] = f"{float(number) * whole:.4g} {unit}"
            for values in data["mechanisms"]["soma"].values():
                if "gbar" in values:
                    values["gbar"] = float(f"{float(values['gbar']) * soma:.4g}")
            text = yaml.safe_dump(data, sort_keys=False, width=100)
            write_text(path.with_name(f"{name}.yaml"), text)


def main(family: str, out: str, rounds: int = 60) -> None:
    """Fits one family."""
    mechanisms.load(
        mechanisms.compile_sets([mechanisms.find_set("allen", ["mechanisms"])], ".cache/bench")
    )
    write_text(Path(out), as_yaml(family, *search(family, rounds), rounds))


if __name__ == "__main__":
    if sys.argv[1] == "spread":
        spread(sys.argv[2])
    else:
        main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:4]))
