"""Models and variants: what is resolved, where it came from, and every problem at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.config.load import load_model
from pipeline.config.show import lines
from pipeline.config.stages import stage_slice
from pipeline.config.starter import write_starter
from pipeline.config.yaml_lines import read_yaml
from pipeline.errors import ConfigError

WORM = Path(__file__).resolve().parents[2] / "models/worm"


@pytest.fixture
def starter(tmp_path) -> Path:
    """A small model."""
    return write_starter("demo", tmp_path)


def variant(folder: Path, text: str, name: str = "v") -> str:
    (folder / "variants" / f"{name}.yaml").write_text("extends: ../model.yaml\n" + text)
    return str(folder / "model.yaml")


def test_a_variant_changes_only_what_it_names(starter):
    model = variant(starter, "set:\n  simulation.drive.duration: 1 s\n")
    base, changed = load_model(model), load_model(model, "v")
    assert base.model.simulation["drive"].duration == 100.0
    assert changed.model.simulation["drive"].duration == 1000.0
    assert changed.model.variant == "v"
    assert base.model.nodes == changed.model.nodes


def test_maps_merge_and_another_kind_replaces(starter):
    model = variant(
        starter,
        "set:\n  cells.discretisation: {rule: fixed_length, length: 5 um}\n"
        "  simulation: {quiet: {duration: 10 ms}}\n",
    )
    changed = load_model(model, "v").model
    assert changed.cells.discretisation.length == 5.0
    assert set(changed.simulation) == {"drive", "quiet"}


def test_variants_chain(starter):
    variant(starter, "set: {seed: 5}\n", "one")
    (starter / "variants/two.yaml").write_text("extends: one.yaml\nset: {title: two}\n")
    resolved = load_model(str(starter / "variants/two.yaml"))
    assert resolved.model.seed == 5 and resolved.model.title == "two"
    assert [path.name for path in resolved.files] == ["model.yaml", "one.yaml", "two.yaml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("set: {simulation.drive.duraton: 1}\n", "did you mean 'duration'"),
        ("set: {simulation.driv.duration: 1}\n", "did you mean 'drive'"),
        ("set: {simulation.drive: 3}\n", "cannot replace a map"),
        ("set: {seed: {a: 1}}\n", "cannot replace a value"),
        ("remove: [nodes.cellz]\n", "did you mean 'cells'"),
        ("remove: [report.dpi]\n", "nothing to remove"),
        ("sets: {}\n", "unknown key 'sets'"),
    ],
)
def test_a_wrong_variant_says_what_was_meant(starter, text, said):
    with pytest.raises(ConfigError, match=said) as failure:
        load_model(variant(starter, text), "v")
    assert "v.yaml:2" in str(failure.value)


def test_all_problems_come_at_once_with_their_lines(starter):
    model = variant(
        starter,
        "set:\n  simulation.drive.dt: -1 ms\n  simulation.drive.ranks: 0\n"
        "  edges.wiring.gap_first: 1.4\n",
    )
    with pytest.raises(ConfigError) as failure:
        load_model(model, "v")
    text = [str(problem) for problem in failure.value.problems]
    assert len(text) == 3
    assert "v.yaml:3  simulation.drive.dt" in text[0]
    assert "v.yaml:4  simulation.drive.ranks" in text[1]
    assert "v.yaml:5  edges.wiring.gap_first: 1.4 is not between 0 and 1" in text[2]


def test_extends_in_a_circle_is_named(starter):
    (starter / "variants/a.yaml").write_text("extends: b.yaml\n")
    (starter / "variants/b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match=r"a.yaml -> b.yaml -> a.yaml"):
        load_model(str(starter / "variants/a.yaml"))


@pytest.mark.parametrize("path", ["../../etc", "tables/../../x", "emodels/../../.."])
def test_relative_paths_stay_in_the_model(starter, path):
    model = variant(starter, f"set: {{cells.emodels: '{path}'}}\n")
    with pytest.raises(ConfigError, match="leaves the model's folder"):
        load_model(model, "v")


def test_sources_and_lines_are_shown(starter):
    model = variant(starter, 'set: {edges.wiring.gap_first: {value: 0.2, source: "fig. 3"}}\n')
    shown = lines(load_model(model, "v"), "edges.wiring.gap_first")
    assert shown[0].startswith("edges.wiring.gap_first = 0.2  # ")
    assert shown[0].endswith("v.yaml:2 (fig. 3)")
    assert lines(load_model(model), "report.dpi") == ["report.dpi = 110  # default"]


@pytest.mark.parametrize("text", ["a: 1e-5", "a: -2E3", "a: .5", "a: 7"])
def test_numbers_as_scientists_write_them(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    assert read_yaml(tmp_path / "x.yaml").data["a"] == float(text[3:])


def test_an_alias_bomb_ends_early(tmp_path):
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 9):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    (tmp_path / "bomb.yaml").write_text(text)
    with pytest.raises(ConfigError, match="too many values"):
        read_yaml(tmp_path / "bomb.yaml")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [ls]", "!foo 1", "!!binary aa"])
def test_tags_do_nothing(tmp_path, tag):
    (tmp_path / "x.yaml").write_text(f"a: {tag}\n")
    with pytest.raises(ConfigError, match="not allowed"):
        read_yaml(tmp_path / "x.yaml")


def test_a_plot_option_touches_only_the_report(starter):
    model = variant(starter, "set: {report.colours: magma}\n")
    base, changed = load_model(model), load_model(model, "v")
    for stage, name in [("compile", ""), ("cells", ""), ("nodes", ""), ("edges", "wiring"),
                        ("circuit", ""), ("simulate", "drive"), ("analyse", "")]:  # fmt: skip
        assert stage_slice(base, stage, name) == stage_slice(changed, stage, name), stage
    assert stage_slice(base, "report") != stage_slice(changed, "report")


def test_a_run_on_coreneuron_asks_to_compile_again(starter):
    model = variant(starter, "set: {simulation.drive.coreneuron: true}\n")
    base, changed = load_model(model), load_model(model, "v")
    assert stage_slice(base, "compile") != stage_slice(changed, "compile")


def test_ranks_are_no_reason_to_simulate_again(starter):
    model = variant(starter, "set: {simulation.drive.ranks: 7}\n")
    base, changed = load_model(model), load_model(model, "v")
    assert stage_slice(base, "simulate", "drive") == stage_slice(changed, "simulate", "drive")


@pytest.mark.parametrize("name", ["default", *(p.stem for p in (WORM / "variants").glob("*.yaml"))])
def test_every_shipped_variant_of_the_worm_loads(name):
    resolved = load_model("worm", name)
    assert resolved.model.variant == name


def test_every_number_of_the_worm_says_where_it_comes_from():
    """Numbers in laws, cells and runs carry a source, or stand in a file that names one."""
    resolved = load_model("worm", "default")
    bare = []
    for path in resolved.document.origins:
        value = resolved.document.data
        for key in path:
            value = value[key] if not isinstance(value, dict) or key in value else None
        if isinstance(value, float | int) and not isinstance(value, bool) and path[0] == "edges":
            if not resolved.document.origins[path].source:
                bare.append(".".join(map(str, path)))
    assert bare == []


def test_a_model_may_live_anywhere(tmp_path):
    shutil.copytree(WORM, tmp_path / "my worm ü", ignore=shutil.ignore_patterns("witvliet*"))
    assert load_model(str(tmp_path / "my worm ü/model.yaml"), "tiny").model.name == "worm"
