"""Models without cells: from the body or the recordings to verdicts and the page."""

import json
import re

import pandas as pd
import pytest

from pipeline.cli import main
from pipeline.config.load import load_model
from pipeline.errors import ConfigError


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The finished pages of the rod and of a short premotor fit."""
    out = tmp_path_factory.mktemp("body")
    root = load_model("premotor").folder
    short = out / "short.yaml"
    short.write_text(
        f"extends: {root}/model.yaml\nname: short\nset:\n  premotor.simulated.count: 1\n"
        "  premotor.simulated.duration: 240 s\n"
    )
    for verb in ("behave", "analyse", "report"):
        assert main([verb, "rod", "tiny", "--out", str(out)]) == 0
    for verb in ("premotor", "analyse", "report"):
        assert main([verb, str(short), "--out", str(out)]) == 0
    return out


def test_the_rod_passes_its_published_gaits(pages):
    verdicts = pd.read_csv(pages / "rod/tiny/analysis/verdicts.csv")
    assert len(verdicts) == 5
    assert set(verdicts["verdict"]) == {"pass"}


def test_the_page_holds_a_player_with_all_frames(pages):
    page = (pages / "rod/tiny/report.html").read_text()
    text = re.search(r'id="frames">(.*?)</script>', page, re.S)[1]
    runs = json.loads(text)
    assert [run["name"] for run in runs] == ["crawl", "swim"]
    assert len(runs[0]["frames"]) == 301 and len(runs[0]["frames"][0]) == 50
    field = runs[0]["sources"][0].pop("field")
    assert runs[0]["sources"] == [{"name": "food", "place": [-3000.0, 1000.0]}]
    assert field[0] == 1 and field[-1] == 0 and field == sorted(field, reverse=True)
    assert not re.search(r"https?://|<link|fetch\(|XMLHttp", re.sub(r'src="data:[^"]*"', "", page))
    assert page.count('id="behaviour-') == 2


def test_the_premotor_page_shows_its_fit(pages):
    page = (pages / "premotor/short/report.html").read_text()
    assert 'id="premotor"' in page and 'id="play"' not in page
    table = pd.read_csv(pages / "premotor/short/analysis/premotor_weights.csv")
    assert len(table) == 430
    verdicts = pd.read_csv(pages / "premotor/short/analysis/verdicts.csv").set_index("metric")
    assert verdicts["verdict"]["premotor.core"] == "pass"
    assert verdicts["verdict"]["premotor.signals"] == "fail"  # 193 against 137: stated in the note


def test_a_model_needs_something_to_build(tmp_path):
    (tmp_path / "model.yaml").write_text("schema: 1\nname: x\n")
    with pytest.raises(ConfigError, match="nothing to build"):
        load_model(str(tmp_path / "model.yaml"))


def test_premotor_without_the_key_is_refused(tmp_path, capsys):
    assert main(["premotor", "rod", "--out", str(tmp_path)]) == 2
    assert "no key premotor" in capsys.readouterr().err
