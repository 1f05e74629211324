"""The pages of docs/adding: each is one screen, and what it says is done, in a fresh folder."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/adding").glob("*.md"))
CHEAP = ("new", "validate", "show", "plan", "nodes", "edges", "engines", "list")
PACKAGED = {"engine": "spikes.h5", "law": "*.edges.h5"}
"""Pages that add a module, and what is there in the end."""
FILE = r"`((?:models|pipeline)/[\w./-]+\.\w+)`(?:[^`:]*):\n\n```\w*\n(.*?)^```$"
PART = re.compile(FILE + r"|^```(\w*)\n(.*?)^```$", re.M | re.S)


def steps(text):
    """What a page asks for, in its order: files to write (path, content) and commands (words)."""
    for file, content, language, block in PART.findall(text):
        if file:
            yield file, content
            continue
        assert language in ("", "sh"), f"where does this go? {block}"
        for line in block.splitlines():
            yield shlex.split(line, comments=True)


def cheap(page, words):
    """Whether a step is carried out; ``run``, ``compile`` and ``simulate`` take minutes for some."""
    verbs = CHEAP + (("circuit", "simulate") if page.stem == "engine" else ())
    return words[:1] == ["sonatina"] and words[1] in verbs


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_does_what_it_says(page, tmp_path, monkeypatch):
    text = page.read_text()
    assert len(text.splitlines()) <= 55, "a page is one screen"
    monkeypatch.chdir(tmp_path)
    if "After `sonatina new mymodel`" in " ".join(text.split()):
        assert main(["new", "mymodel"]) == 0
    todo = []
    for step in steps(text):
        if isinstance(step, tuple):
            path = Path(step[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step[1])
        elif step[:1] == ["cp"]:
            for file in step[1:-1]:
                shutil.copy(file, step[-1])
        elif cheap(page, step):
            todo.append(step[1:])
            if page.stem not in PACKAGED:
                assert main(step[1:]) == 0, step
    assert todo
    if page.stem in PACKAGED:  # a module of the package: with a copy of it, in a process of its own
        copy_package()
        code = f"from pipeline.cli import main; raise SystemExit(sum(map(main, {todo})))"
        env = os.environ | {"PYTHONPATH": str(tmp_path)}
        assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0
        assert list(tmp_path.rglob(PACKAGED[page.stem]))


def copy_package():
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", "pipeline", ignore=skipped, dirs_exist_ok=True)
    Path("mechanisms").symlink_to(ROOT / "mechanisms")
