"""A network like the recurrent part of mouse V1 (Billeh et al. 2020, Neuron 106:388), for benches.

Cell numbers, depths and the matrix of mean connection probabilities within 75 um are the published
ones; tuning angles are equally spaced over each population and shuffled.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

RADIUS = 845.0
POPULATIONS = """
i1Htr3a i1H 50 100 4363
e23Cux2 e2 100 310 56057
i23Htr3a i2H 100 310 4845
i23Pvalb i2P 100 310 2927
i23Sst i2S 100 310 2120
e4Nr5a1 e4 310 430 5491
e4Rorb e4 310 430 11898
e4Scnn1a e4 310 430 13728
e4other e4 310 430 14644
i4Htr3a i4H 310 430 1231
i4Pvalb i4P 310 430 4461
i4Sst i4S 310 430 2384
e5Rbp4 e5 430 650 26846
e5noRbp4 e5 430 650 6712
i5Htr3a i5H 430 649 508
i5Pvalb i5P 430 650 2876
i5Sst i5S 430 650 2538
e6Ntsr1 e6 650 850 57202
i6Htr3a i6H 650 850 841
i6Pvalb i6P 650 850 4626
i6Sst i6S 650 850 4626
"""
MATRIX = """
source,e2,e4,e5,e6,i1H,i2P,i2S,i2H,i4P,i4S,i4H,i5P,i5S,i5H,i6P,i6S,i6H
e2,.160,.016,.083,0,0,.395,.182,.105,.083,.083,.083,.081,.102,0,0,0,0
e4,.140,.243,.104,.032,0,.100,.100,.100,.430,.571,.571,.101,.128,.050,0,0,0
e5,.021,.007,.116,.047,.017,.050,.050,.050,.050,.050,.050,.083,.063,.105,.030,.030,.030
e6,0,0,.012,.026,0,0,0,0,0,0,0,.010,.010,.010,.145,.100,.100
i1H,.356,.148,.148,.148,.656,.093,.068,.464,0,0,0,0,0,0,0,0,0
i2P,.411,.050,.070,0,.024,.451,.030,.220,.050,.050,.050,.073,0,0,0,0,0
i2S,.424,.050,.021,0,.279,.857,.082,.770,.050,.050,.050,0,0,0,0,0,0
i2H,.087,.050,0,0,0,.020,.625,.028,.050,.050,.050,0,0,0,0,0,0
i4P,.250,.437,.088,0,0,.050,.050,.050,.451,.030,.220,.091,.030,.030,0,0,0
i4S,.250,.351,.026,0,.241,.050,.050,.050,.857,.082,.770,.030,0,.030,0,0,0
i4H,.250,.351,0,0,0,.050,.050,.050,.020,.625,.028,.030,.030,.030,0,0,0
i5P,0,0,.455,.030,0,.102,0,0,.034,.030,.030,.361,.030,.220,.010,.010,.010
i5S,.169,.056,.317,.030,.203,0,.017,0,.030,.006,.030,.857,.040,.770,.010,.010,.010
i5H,0,.030,.125,.030,0,0,0,0,.030,.030,.030,.020,.625,.020,.010,.010,.010
i6P,.100,.100,.100,.100,0,0,0,0,0,0,0,.030,.030,.030,.080,.100,.080
i6S,0,0,.030,.100,0,0,0,0,0,0,0,.030,.030,.030,.050,.050,.050
i6H,0,0,.030,.100,0,0,0,0,0,0,0,.030,.030,.030,.050,.050,.050
"""


def cells(n: int) -> pd.DataFrame:
    """About n cells at full density: places (um), tuning angles (deg), classes."""
    rng = np.random.default_rng(5)
    rows = [line.split() for line in POPULATIONS.split("\n") if line]
    share = n / sum(int(row[4]) for row in rows)
    frames = []
    for pop, group, low, high, full in rows:
        count = max(2, round(int(full) * share))
        r = RADIUS * np.sqrt(share) * np.sqrt(rng.random(count))
        phi = 2 * np.pi * rng.random(count)
        frames.append(pd.DataFrame({
            "pop": pop, "class": group, "kind": group[0] + ("P" if group[-1] == "P" else ""),
            "layer": "5" if group[1] == "5" else "other",
            "x": r * np.cos(phi), "y": -rng.uniform(float(low), float(high), count),
            "z": r * np.sin(phi), "tuning_angle": rng.permutation(360.0 * np.arange(count) / count),
        }))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def rules(folder: Path) -> list[dict]:
    """The published recurrent rule; tables go to ``folder``."""
    (folder / "matrix.csv").write_text(MATRIX.strip() + "\n")
    by_kind = {"source_by": "kind", "target_by": "kind"}
    sigma = {"e": {"e": 114, "iP": 92, "i": 103}, "i": {"e": 85, "i": 120, "iP": 120},
             "iP": {"e": 95, "i": 120, "iP": 120}}  # fmt: skip
    by_class = {"source_by": "class", "target_by": "class"}
    e = ("e2", "e4", "e5", "e6")
    ratio = {s: {t: 0.8 if "e5" in (s, t) else 0.5 for t in e} for s in e}
    width = {"e": {"e": 30, "*": 90}, "i": {"e": 90, "*": 50}, "iP": {"e": 90, "*": 50}}
    # default "" leaves pairs without a value, which for tuning means untuned.
    connect = [
        {"law": "probability", "value": {"table": str(folder / "matrix.csv"), **by_class}},
        {"law": "gaussian", "sigma": {"values": sigma, **by_kind}, "convention": "sigma2",
         "mean_within": 75},
        {"law": "tuning", "ratio": {"values": ratio, **by_class, "default": ""}},
    ]  # fmt: skip
    synapse = {
        "nsyns": {"law": "uniform_integer", "low": 3, "high": 7},
        "weight": {"law": "constant", "value": 0.001},
        "direction": {
            "width": {"values": width, **by_kind},
            "phase": {"values": {"e": {"e": 1}}, **by_kind, "default": 0},
        },
        "delay": {"law": "normal", "mean": 1.6, "sd": 0.3, "low": 0.5, "high": 4},
    }
    return [{"name": "recurrent", "connect": connect, "synapse": synapse}]
