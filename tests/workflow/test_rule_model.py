"""A model without morphologies runs through the workflow to its report."""

from __future__ import annotations

import re
import subprocess
import sys

import pandas as pd
from workbench import ROOT


def test_v1_runs_to_its_report(tmp_path):
    command = [sys.executable, "-m", "pipeline", "run", "v1", "tiny", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    circuit = tmp_path / "v1" / "tiny"
    page = (circuit / "report.html").read_text(encoding="utf-8")
    for key in ("places-v1", "places-lgn", "rule-pairs-recurrent", "rule-profile-recurrent",
                "rule-degrees-recurrent", "rule-synapses"):  # fmt: skip
        assert f'<figure id="{key}">' in page
    for link in set(re.findall(r'href="(analysis/[^"]+)"', page)):
        assert (circuit / link).is_file(), link
    pairs = pd.read_csv(circuit / "analysis" / "rule_pairs.csv")
    pairs = pairs[pairs["edges"] == "recurrent"]
    expected = pairs["expected_pairs"].sum()
    assert abs(pairs["pairs"].sum() - expected) < 4 * expected**0.5
    verdicts = pd.read_csv(circuit / "analysis" / "verdicts.csv")
    active = verdicts["metric"].str.startswith("responses.")
    assert active.sum() >= 34  # tiny is not for activity: rates are shown, pass or fail
    assert set(verdicts["verdict"][~active]) <= {"pass", "not applicable"}
    assert "pass" in set(verdicts["verdict"][~active])
