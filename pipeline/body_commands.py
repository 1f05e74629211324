"""What the verbs about bodies and premotor neurons do."""

from __future__ import annotations

import argparse

from pipeline.commands import _chosen, _open_stage
from pipeline.errors import ConfigError, Problem


def behave(options: argparse.Namespace) -> None:
    """Let a model's bodies move in their environments and write what they did."""
    from pipeline.body.stage import run_behaviour

    resolved, paths = _open_stage(options)
    for name in _chosen(options.name, list(resolved.model.behaviours), "behaviours"):
        figures = run_behaviour(resolved, name, paths)
        factor = figures["seconds"] / figures["run_s"]
        print(
            f"{paths.behaviour(name)}  {figures['seconds']:g} s in {figures['run_s']:.2f} s "
            f"({factor:.1f} times real time)"
        )


def premotor(options: argparse.Namespace) -> None:
    """Fit the premotor neurons to recordings and run them with the fitted weights."""
    from pipeline.premotor.stage import run_premotor

    resolved, paths = _open_stage(options)
    if resolved.model.premotor is None:
        message = "the model has no key premotor"
        raise ConfigError(Problem(resolved.model.name, message, "see docs/premotor.md"))
    for name, value in run_premotor(resolved, paths).items():
        print(f"{name:<32} {value:.4g}")
    print(paths.analysis("premotor"))
