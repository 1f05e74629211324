"""Evaluators that misbehave, in a module that worker processes can import."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.generalise.evaluation import Evaluation


@dataclass
class Rogue:
    """Does what the name of the morphology says: dies, works for ever or answers."""

    limit: float | None = 1.0

    def files(self, emodel: str) -> list[Path]:
        return []

    def settings(self, emodel: str) -> object:
        return emodel

    def __call__(self, morphology: Path, emodel: str) -> Evaluation:
        if morphology.stem == "dies":
            os._exit(3)
        while morphology.stem == "works":
            pass
        return Evaluation({"S.soma.v.x": 1.0}, 0.1, 0.2)


def sleep(seconds: float) -> float:
    """Sleeps."""
    time.sleep(seconds)
    return seconds
