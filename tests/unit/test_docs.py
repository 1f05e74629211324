"""The docs: links lead somewhere, every page is in the navigation, every command of every page is one."""

import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import yaml

from pipeline.cli import build_parser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *PAGES, *sorted(ROOT.glob("m*/*/**/*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def anchors(text):
    """Anchors of a page as GitHub and MkDocs make them: words of the headings, joined by -."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.M)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", t.lower()).strip()) for t in titles}


def dead(path, target):
    """Why a relative link of a page leads nowhere; None if it does."""
    file, _, anchor = target.partition("#")
    found = (path.parent / file).resolve() if file else path
    if not found.is_file():
        return "no such file"
    if path.is_relative_to(DOCS) and not found.is_relative_to(DOCS):
        return "not a part of the site"
    return None if not anchor or anchor in anchors(found.read_text()) else "no such heading"


def test_relative_links_lead_somewhere():
    problems = []
    for path in TEXTS:
        links = re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", path.read_text()))
        for target in (link for link in links if not re.match(r"https?:|mailto:", link)):
            if why := dead(path, target):
                problems.append(f"{path.relative_to(ROOT)}: {target}: {why}")
    assert not problems


def test_the_navigation_names_every_page_once():
    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        inner = entry if isinstance(entry, list) else entry.values()
        return [name for item in inner for name in pages(item)]

    found = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(found) == sorted(path.relative_to(DOCS).as_posix() for path in PAGES)


def test_lists_and_tables_stand_apart():
    """MkDocs takes a list or a table that follows a line of text for more of the text."""
    problems = []
    for path in PAGES:
        lines = BLOCK.sub("", path.read_text()).splitlines()
        for before, line in zip(lines, lines[1:], strict=False):
            begins = re.match(r"- |1\. |\| ", line) and before.strip()
            if begins and not re.match(r"[ #|-]|\d+\. ", before):
                problems.append(f"{path.relative_to(ROOT)}: {line}")
    assert not problems


def test_the_citation_names_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited), "asked for by cff 1.2.0"
    assert cited["version"] == project["version"] and cited["license"] == project["license"]


def commands(path):
    """The ``sonatina`` commands in the blocks of a page, without comments."""
    for language, block in BLOCK.findall(path.read_text()):
        for line in block.splitlines() if language in ("", "sh") else []:
            line = line.split("#")[0].split(">")[0].strip()
            if line.startswith("sonatina ") and "..." not in line:
                yield line


def test_every_command_is_one():
    parser, problems, found = build_parser(), [], 0
    for path in TEXTS[:1] + PAGES:
        for line in commands(path):
            found += 1
            said = io.StringIO()
            try:
                with contextlib.redirect_stderr(said):
                    parser.parse_args(shlex.split(line)[1:])
            except SystemExit:
                problems.append(f"{path.relative_to(ROOT)}: {line}: {said.getvalue()}")
    assert not problems and found > 40
