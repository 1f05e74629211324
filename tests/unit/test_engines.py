"""The list of engines: one that is there, one that is not; nothing is loaded."""

from __future__ import annotations

import importlib.metadata
import json
import sys

import pytest

from pipeline.cli import main
from pipeline.config.simulation import Simulation
from pipeline.simulation.engines import engines


def test_every_engine_of_the_config_is_listed(capsys):
    schema = Simulation.model_json_schema(by_alias=True)
    assert list(engines()) == schema["properties"]["engine"]["enum"]
    assert {"bionet", "pointnet"} <= set(engines())
    assert main(["engines", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in listed] == list(engines())
    versions = {name: text for entry in listed for name, text in entry["versions"].items()}
    assert versions["bmtk"] == importlib.metadata.version("bmtk")
    assert "neurodamus" not in sys.modules


def test_coreneuron_is_no_part_of_nest():
    with pytest.raises(ValueError, match="pointnet is NEST"):
        Simulation(engine="pointnet", coreneuron=True)


def test_what_is_missing_is_said(capsys, monkeypatch):
    present = importlib.metadata.version

    def version(name: str) -> str:
        if name == "nest-simulator":
            raise importlib.metadata.PackageNotFoundError(name)
        return present(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert main(["engines"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "pip install nest-simulator" in lines["pointnet"]
    assert "nest-simulator" not in lines["bionet"]
