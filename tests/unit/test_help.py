"""``--help``: every verb has an example that is one; completion knows all verbs."""

import argparse
import shlex
import subprocess

import pytest

from pipeline.cli import build_parser, main
from pipeline.config.places import list_models, list_variants


def verbs():
    """The parsers of all verbs by name."""
    found = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return found[0].choices


@pytest.mark.parametrize("name", verbs())
def test_a_verb_has_a_description_and_an_example_that_is_one(name):
    parser = verbs()[name]
    assert parser.description
    start, _, example = parser.epilog.partition(": sonatina ")
    assert start == "example"
    words = shlex.split(example)
    assert words[0] == name
    options = build_parser().parse_args(words)
    model = getattr(options, "model", None)
    if name not in ("new", "extract") and model:
        assert model in list_models()
        known = ["default", None, *list_variants(list_models()[model])]
        assert getattr(options, "variant", None) in known
    text = parser.format_help()
    for action in parser._actions:
        assert action.help or action.choices or action.dest in text, action


def test_bash_completes_models_and_variants(capsys, tmp_path):
    pytest.importorskip("shtab")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "models/mine/variants").mkdir(parents=True)
    (tmp_path / "models/mine/variants/fast.yaml").touch()
    (tmp_path / "script").write_text(capsys.readouterr().out)
    asked = """
    source ./script
    ask() {
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
      _shtab_sonatina sonatina "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
      echo "${COMPREPLY[@]}"
    }
    ask sonatina valid; ask sonatina run mi; ask sonatina run mine fa
    """
    done = subprocess.run(
        ["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["validate", "mine", "fast"]
