"""Holds a circuit of synthesised morphologies beside the same circuit of real ones.

    python bench/real_morphologies.py                     small, synthesised and real
    python bench/real_morphologies.py --variant tiny --out FOLDER

The real circuit is the same model with `morphologies: {kind: library}` in a temporary variant: the
openly licensed reconstructions of the data folder (--data, or ../shared/data beside the checkout);
m-types without one borrow by the same table of exemplars. Only config differs. Circuits
whose metrics lie in --out already are not built again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHOWN = (
    "nodes.cells.unfit",
    "local.axon_length",
    "local.touches",
    "local.connections",
    "local.synapses",
    "local.kept",
    "local.synapses_per_connection",
    "local.synapses_per_cell",
    "local.boutons_per_um",
    "local.on_soma",
    "local.on_basal",
    "local.on_apical",
    "local.on_initial_segment",
    "local.pathways.",
)
"""Metrics of the table, or how they begin; judged ones of the morphologies come behind them."""
GROWN = ("distributions", "real", "tries")
"""Keys of grown morphologies that a library has not."""


def grown_variant(base: Path, target: Path) -> None:
    """Writes the base without e-models: shapes are compared, not judged."""
    from pipeline.config.load import load_model

    tree = load_model(str(base)).tree
    runs = [f"simulation.{name}" for name in tree["simulation"]]
    studies = ["analysis.network"] if tree["analysis"]["network"] else []
    judged = ["generalise"] if tree["generalise"] else []
    remove = [*judged, *runs, *studies]
    target.write_text(json.dumps({"extends": str(base), "name": target.stem, "remove": remove}))


def real_variant(base: Path, folder: Path, target: Path) -> None:
    """Writes the variant that takes its morphologies from a folder; the rest is the base's."""
    from pipeline.config.load import load_model

    kept = load_model(str(base)).tree["morphologies"].items()
    library = {key: value for key, value in kept if key not in GROWN} | {
        "kind": "library",
        "folder": str(folder),
        "catalogue": str(folder / "catalogue.csv"),
        "licences": ["open"],
        "quality": ["full"],
    }
    tree = {"extends": str(base), "name": target.stem, "set": {"morphologies": library}}
    target.write_text(json.dumps(tree))


def build(model: Path, out: Path) -> float:
    """Runs morphologies, nodes, edges, circuit and analysis of a model; returns the seconds."""
    start = time.perf_counter()
    for stage in ("morphologies", "nodes", "edges", "circuit", "analyse"):
        command = [sys.executable, "-m", "pipeline", stage, str(model), "--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        # A verdict that fails is a result, not an error of the run.
        if done.returncode and stage != "analyse":
            sys.exit(f"{stage} of {model.name} failed:\n{done.stderr[-2000:]}")
    return time.perf_counter() - start


def metrics(folder: Path) -> dict[str, float]:
    """Returns the metrics of a built circuit."""
    with open(folder / "analysis/metrics.csv", newline="") as handle:
        return {row["metric"]: float(row["value"] or "nan") for row in csv.DictReader(handle)}


def verdicts(folder: Path) -> dict[str, str]:
    """Returns pass or fail of the judged metrics of the morphologies."""
    with open(folder / "analysis/verdicts.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["metric"].startswith("morphologies.")]
    return {r["metric"]: r["verdict"] for r in rows if r["verdict"] in ("pass", "fail")}


def lent(folder: Path) -> str:
    """Says how many m-types stand on cells of their own."""
    with open(folder / "components/morphologies.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    types = {row["m_type"] for row in rows}
    own = {r["m_type"] for r in rows if not r["dendrite_from"] and not r["axon_from"]}
    axon = {r["m_type"] for r in rows if not r["axon_from"]}
    return f"{len(rows)} shapes; {len(own)} of {len(types)} m-types own cells, {len(axon)} own axon"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--variant", default="small")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    folder = (options.data / "blue-brain/morphologies").resolve()
    if not (folder / "catalogue.csv").is_file():
        print(f"skipped: no reconstructions in {folder}")
        return
    out = (options.out or Path(tempfile.mkdtemp(prefix="real_morphologies_"))).resolve()
    out.mkdir(parents=True, exist_ok=True)
    base = out / f"{options.variant}.yaml"
    grown_variant(ROOT / "models/column/variants" / base.name, base)
    real = out / f"{options.variant}_real.yaml"
    real_variant(base, folder, real)
    found, judged = [], []
    for name, model in (("synthesised", base), ("real", real)):
        circuit = out / "column" / model.stem
        done = (circuit / "analysis/metrics.csv").is_file()
        seconds = 0.0 if done else build(model, out)
        print(f"{name}: {lent(circuit)}; {seconds:.0f} s; {circuit}", flush=True)
        found.append(metrics(circuit))
        judged.append(verdicts(circuit))
    every = {**found[0], **found[1]}
    names = [m for m in every if m.startswith(SHOWN)] + list({**judged[0], **judged[1]})
    print(f"\n{'metric':44} {'synthesised':>18} {'real':>18}")
    for name in names:
        cells = [
            f"{own[name]:.5g} {seen.get(name, '')}".strip() if name in own else "-"
            for own, seen in zip(found, judged, strict=True)
        ]
        print(f"{name:44} {cells[0]:>18} {cells[1]:>18}")
    for what, seen in zip(("synthesised", "real"), judged, strict=True):
        passed = sum(verdict == "pass" for verdict in seen.values())
        print(f"{what}: {passed} of {len(seen)} targets of morphologies met")


if __name__ == "__main__":
    main()
