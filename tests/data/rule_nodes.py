"""Cells in a cylinder and short configs for the tests of rules."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.config.rules import RuleEdges
from pipeline.edges.rules.build import Block, Builder, compile_network


def cells(n: int, seed: int = 1, radius: float = 200.0, height: float = 300.0) -> pd.DataFrame:
    """n cells of classes a, b, c with places (um) and tuning angles (deg)."""
    rng = np.random.default_rng(seed)
    r, phi = radius * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
    return pd.DataFrame({
        "x": r * np.cos(phi), "y": -height * rng.random(n), "z": r * np.sin(phi),
        "tuning_angle": 360 * rng.random(n), "pop": rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]),
        "ei": np.where(rng.random(n) < 0.8, "e", "i"),
    })  # fmt: skip


def rule(connect: list | dict, name: str = "r", **keys) -> dict:
    """One rule as the config spells it."""
    return {"name": name, "connect": connect if isinstance(connect, list) else [connect], **keys}


def edges(rules: list[dict] | dict, target: str = "v1", **keys) -> RuleEdges:
    """An edge config of population v1 onto itself or another one."""
    rules = rules if isinstance(rules, list) else [rules]
    data = {"kind": "rules", "source": "v1", "target": target, "rules": rules, **keys}
    return RuleEdges.model_validate(data)


def builder(rules, nodes, target=None, seed: int = 1, naive: bool = False, **keys) -> Builder:
    """A builder of rules on nodes; other targets make it a projection."""
    config = edges(rules, "v1" if target is None else "v2", **keys)
    network = compile_network(config, seed, nodes, nodes if target is None else target)
    return Builder(network, naive)


def all_edges(builder: Builder, most: int | None = None) -> Block:
    """All blocks joined."""
    blocks = list(builder.blocks(most=most))
    columns = {
        name: np.concatenate([b.columns[name] for b in blocks]) for name in blocks[0].columns
    }
    parts = (
        np.concatenate([getattr(b, k) for b in blocks]) for k in ("sources", "targets", "types")
    )
    return Block(*parts, columns)


GAUSSIAN = {"law": "gaussian", "sigma": 80, "convention": "sigma2", "metric": "lateral"}
HALF = {"law": "probability", "value": 0.5}
