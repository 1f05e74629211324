"""Completion for shells, made from the parser by shtab when it is asked for."""

from __future__ import annotations

import argparse

from pipeline.errors import PipelineError, Problem

_BASH = r"""
_sonatina_models() { compgen -W "$(ls models 2>/dev/null)" -- "$1"; }
_sonatina_variants() {
  local folder="models/${COMP_WORDS[COMP_CWORD-1]}/variants"
  compgen -W "default $(ls "$folder" 2>/dev/null | sed 's/\.yaml$//')" -- "$1"
}
"""
_ZSH = r"""
_sonatina_models() { local -a found; found=(models/*(/N:t)); compadd -a found }
_sonatina_variants() {
  local -a found; found=(default models/${words[CURRENT-1]}/variants/*.yaml(N:t:r)); compadd -a found
}
"""
_WORDS = {"model": "_sonatina_models", "variant": "_sonatina_variants"}


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Returns the completion script.

    Args:
        parser: The whole command line.
        shell: bash, zsh or tcsh; the first two also complete models and variants of this folder.

    Raises:
        PipelineError: If shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise PipelineError(
            Problem("completion", "shtab is not installed", "pip install shtab")
        ) from None
    for action in _actions(parser):
        if name := _WORDS.get(action.dest):
            action.complete = {"bash": name, "zsh": name}
        elif getattr(action.type, "__name__", "") == "Path":
            action.complete = shtab.FILE
    return shtab.complete(parser, shell, preamble={"bash": _BASH, "zsh": _ZSH, "tcsh": ""})


def _actions(parser: argparse.ArgumentParser):
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
