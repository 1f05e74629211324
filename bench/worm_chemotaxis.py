"""Does the worm find its food? Usage: python bench/worm_chemotaxis.py [starts] [seconds]

The circuit of the variant ``alive`` must be built. Every start has the head at 0, 0 and another heading, with
food 1 mm away along -x; the control smells nothing. Index: (starts that came
nearer - those that went away) / all.
"""

import sys

import numpy as np

from pipeline.body.record import read_record
from pipeline.config.behaviour import Behaviour
from pipeline.config.load import load_model
from pipeline.simulation.closed_loop import run_closed_loop
from pipeline.sonata.layout import CircuitPaths


def one(resolved, paths, heading: float, seconds: float, smells: bool) -> tuple[float, float]:
    """Returns the change of the head's distance (mm) and the time of arrival (s, NaN: none)."""
    config = resolved.model.behaviours["forage"].model_dump()
    config |= {"duration": 1000 * seconds, "settle": 0.0, "heading": heading}
    config["environment"]["sources"]["food"]["place"] = [-1000.0, 0.0]
    if not smells:
        config["environment"]["sensing"] = {}
    run_closed_loop(resolved, "forage", paths, ranks=1, config=Behaviour.model_validate(config))
    record = read_record(paths.behaviour("forage"))
    distance = np.linalg.norm(record.positions[:, 0] - [-1000.0, 0.0], axis=1)
    near = np.flatnonzero(distance < config["arrived"])
    arrival = record.time[near[0]] / 1000 if len(near) else np.nan
    return (distance[-1] - distance[0]) / 1000, arrival


if __name__ == "__main__":
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    resolved = load_model("worm", "alive")
    paths = CircuitPaths("circuits/worm/alive")
    for smells in (True, False):
        found = [
            one(resolved, paths, 360 * k / starts - 180, seconds, smells) for k in range(starts)
        ]
        change, arrival = np.array(found).T
        index = ((change < 0).sum() - (change > 0).sum()) / starts
        error = 1.96 * change.std(ddof=1) / np.sqrt(starts)
        come = np.isfinite(arrival)
        time = f", after {np.nanmean(arrival):.1f} s" if come.any() else ""
        print(
            f"{'smelling' if smells else 'control'}: index {index:.2f}, distance {change.mean():+.2f} "
            f"+- {error:.2f} mm, {come.sum()} of {starts} arrive{time}",
            flush=True,
        )
