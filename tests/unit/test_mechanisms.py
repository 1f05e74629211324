"""Reading, naming and hashing of NMODL sets; no simulator is started."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import mechanisms, nmodl
from pipeline.errors import MechanismError, ToolError

PLAIN = "NEURON {\n    SUFFIX %s\n    RANGE gbar, i\n}\n"


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_names_ranges_and_ions(tmp_path):
    text = """TITLE a NEURON { SUFFIX wrong }
COMMENT
NEURON { SUFFIX wrong }  : never closed " here
ENDCOMMENT
: NEURON { SUFFIX wrong }
? NEURON { SUFFIX wrong }
VERBATIM
/* a ? b : c; NEURON { SUFFIX wrong } COMMENT */
ENDVERBATIM
NEURON { : SUFFIX wrong
    POINT_PROCESS Right ? SUFFIX wrong
    USEION ca READ cai, ica WRITE ica VALENCE 2
    USEION k WRITE ik
    RANGE a, b ,
          c_2
    RANGE d
}
"""
    found = nmodl.declared(write(tmp_path, "x.mod", text))
    assert (found.name, found.kind, found.line) == ("Right", "point", 10)
    assert found.ranges == ("a", "b", "c_2", "d") and found.ions == ("ca", "k")


@pytest.mark.parametrize(
    "line, name, kind",
    [
        ("SUFFIX abc", "abc", "density"),
        ("ARTIFICIAL_CELL Abc", "Abc", "artificial"),
        ("RANGE a", "file", "density"),
    ],
)
def test_kinds(tmp_path, line, name, kind):
    found = nmodl.declared(write(tmp_path, "file.mod", f"NEURON {{\n{line}\n}}"))
    assert (found.name, found.kind) == (name, kind)


@pytest.mark.parametrize(
    "text, line, message",
    [
        ("PARAMETER { a = 1 }\n", 1, "no NEURON block"),
        ("COMMENT\nopen\nNEURON { SUFFIX a }\n", 1, "no NEURON block"),
        ("TITLE t\n\nNEURON {\n SUFFIX a\n", 3, "does not end"),
    ],
)
def test_unusable_block_is_an_error_with_its_line(tmp_path, text, line, message):
    path = write(tmp_path, "bad.mod", text)
    with pytest.raises(MechanismError, match=message) as caught:
        nmodl.declared(path)
    assert caught.value.problems[0].where == f"{path}:{line}"


def test_doubled_and_builtin_names_are_all_reported(tmp_path):
    first = write(tmp_path, "a.mod", PLAIN % "same")
    second = write(tmp_path, "b.mod", "\n" + PLAIN % "same")
    third = write(tmp_path, "c.mod", PLAIN % "hh")
    write(tmp_path, "d.mod", PLAIN % "nothing")
    write(tmp_path, "e.mod", PLAIN % "nothing")
    with pytest.raises(MechanismError) as caught:
        mechanisms.describe_set(tmp_path)
    doubled, builtin = caught.value.problems
    assert doubled.where == f"{second}:2" and f"{first}:1" in doubled.message
    assert builtin.where == f"{third}:1" and "built into NEURON" in builtin.message


def test_find_set_by_name_and_path_and_near_name(tmp_path):
    folder = tmp_path / "sets" / "worm"
    write(folder, "a.mod", PLAIN % "a")
    write(tmp_path / "sets" / "allen" / "deep", "a.mod", PLAIN % "a")
    roots = [tmp_path / "absent", tmp_path / "sets"]
    assert mechanisms.find_set("worm", roots) == folder.resolve()
    assert mechanisms.find_set(folder, []) == folder.resolve()
    assert mechanisms.find_set("allen/deep", roots).name == "deep"
    with pytest.raises(MechanismError, match=r"'wrom'.*did you mean worm\?"):
        mechanisms.find_set("wrom", roots)
    with pytest.raises(MechanismError, match="known sets: allen/deep, worm"):
        mechanisms.find_set("zzzzzz", roots)
    with pytest.raises(MechanismError, match="'allen'"):
        mechanisms.find_set("allen", roots)  # a folder without .mod files of its own


def test_missing_mechanisms():
    used = {
        "pas": ["m.yaml:1"],
        "egl19": ["m.yaml:2"],
        "EGL91": ["m.yaml:3", "m.yaml:4", "m.yaml:5", "m.yaml:6", "m.yaml:7"],
        "expsyn": ["m.yaml:8"],
        "qqqq": ["m.yaml:9"],
    }
    problems = mechanisms.missing(used, ["egl19", "unc2"])
    assert ["EGL91" in problems[0].message, len(problems)] == [True, 3]
    assert problems[0].where == "m.yaml:3, m.yaml:4, m.yaml:5 and 2 more"
    assert problems[0].hint == "did you mean 'egl19'?"
    assert problems[1].hint == "did you mean 'ExpSyn'?"
    assert problems[2].hint == "add the set that has it"


@pytest.fixture
def builds(monkeypatch):
    """Replaces the build by one that writes what a build leaves; returns its calls."""
    calls = []

    def build(target, program, given, sources, parts, timeout):
        calls.append(given)
        (target / "x").mkdir(parents=True)
        (target / "x" / "libnrnmech.so").write_text("")
        names = {"library": "x/libnrnmech.so", "coreneuron": None}
        mechanisms.write_json(target / "manifest.json", parts | names)
        return 1.0

    tools = {"neuron": "9", "compiler": "g++ 12"}
    monkeypatch.setattr(mechanisms, "_build", build)
    monkeypatch.setattr(mechanisms, "_toolchain", lambda flags: (Path("nrnivmodl"), dict(tools)))
    calls_and_tools = (calls, tools)
    return calls_and_tools


def test_hash_follows_content_options_and_tools(tmp_path, builds):
    calls, tools = builds
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, "a.mod", PLAIN % "a")
    write(two, "b.mod", PLAIN % "b")

    def key(*folders, **options):
        return mechanisms.compile_sets(folders, tmp_path / "cache", **options).hash

    base = key(one, two)
    assert re.fullmatch("[0-9a-f]{16}", base)
    assert key(two, one) == base and key(one, two) == base and len(calls) == 1
    moved = tmp_path / "elsewhere"
    write(moved, "a.mod", PLAIN % "a")
    assert key(moved, two) == base
    others = [key(one), key(one, two, coreneuron=True), key(one, two, flags="fast")]
    assert calls[-2:] == [(True, ""), (False, mechanisms.COMPILER_FLAGS["fast"])]
    write(one, "a.mod", PLAIN % "a" + "\n")
    others.append(key(one, two))
    write(one, "helper.inc", "")
    others.append(key(one, two))
    tools["neuron"] = "10"
    others.append(key(one, two))
    assert len({base, *others}) == 7 and len(calls) == 7


def test_equal_files_of_two_sets_count_once(tmp_path, builds):
    write(tmp_path / "one", "a.mod", PLAIN % "a")
    write(tmp_path / "two", "a.mod", PLAIN % "a")
    folders = [tmp_path / "one", tmp_path / "two"]
    assert list(mechanisms.compile_sets(folders, tmp_path / "cache").mechanisms) == ["a"]
    write(tmp_path / "two", "a.mod", PLAIN % "b")
    with pytest.raises(MechanismError, match="differs from .*one.a.mod"):
        mechanisms.compile_sets(folders, tmp_path / "cache")
    (tmp_path / "two" / "a.mod").rename(tmp_path / "two" / "b.mod")
    write(tmp_path / "two", "b.mod", PLAIN % "a")
    with pytest.raises(MechanismError, match="declares 'a', as .*a.mod:1 does"):
        mechanisms.compile_sets(folders, tmp_path / "cache")


def test_unusable_requests(tmp_path, builds):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "one", "a.mod", PLAIN % "a")
    for folders, message in [([], "no mechanism set"), ([tmp_path / "empty"], "holds no .mod")]:
        with pytest.raises(MechanismError, match=message):
            mechanisms.compile_sets(folders, tmp_path / "cache")
    with pytest.raises(MechanismError, match="unknown choice 'slow'.*exact, fast"):
        mechanisms.compile_sets([tmp_path / "one"], tmp_path / "cache", flags="slow")


def test_missing_tool_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "one", "a.mod", PLAIN % "a")
    write(tmp_path / "bin", "nrnivmodl", "")
    monkeypatch.setattr(mechanisms.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ToolError, match=r"no-such-compiler.*apt install g\+\+ make"):
        mechanisms.compile_sets([tmp_path / "one"], tmp_path / "cache")


def test_compiler_output_becomes_problems(tmp_path):
    path = write(tmp_path, "a.mod", PLAIN % "a" + "x = yy\nz = 1 +* 2\n")
    output = """Translating a.mod into /t/a.cpp
 Error: Illegal block at line 7 in file a.mod
    /usr/bin/nmodl out/a.mod -o out/ host
  what():  NMODL Parser Error : syntax error, unexpected * [Location : 6.6]
/t/a.cpp:290:8: error: ‘yy’ was not declared in this scope
  290 |    x = yy ;
/t/a.cpp:291:8: error: something about the generated code
  291 |    unknown_to_the_source();
/t/mod_func.cpp:1:1: error: not a source of ours
"""
    found = nmodl.explain(output, {"a.mod": path})
    assert [problem.where for problem in found] == [f"{path}:{n}" for n in (7, 6, 5, 1)]
    assert "Illegal block" in found[0].message and "unexpected *" in found[1].message
    assert "line 291 of the generated C++" in found[3].message
    assert "boom" in nmodl.explain("boom\n", {})[0].message


PIECES = st.sampled_from(
    ["COMMENT", "ENDCOMMENT", "VERBATIM", "ENDVERBATIM", "TITLE", ":", "?", '"', "\n", " ", "{"]
    + ["}", "NEURON", "SUFFIX a", "x = 1", "é"]
)


@given(st.lists(PIECES, max_size=40).map("".join))
def test_stripping_keeps_places_and_is_stable(text):
    stripped = nmodl.strip_comments(text)
    assert len(stripped) == len(text)
    assert [i for i, c in enumerate(stripped) if c == "\n"] == [
        i for i, c in enumerate(text) if c == "\n"
    ]
    assert all(new in (old, " ") for new, old in zip(stripped, text, strict=True))
    assert ":" not in stripped and "?" not in stripped
    assert nmodl.strip_comments(stripped) == stripped


@given(st.text('abc :?"{}\n', max_size=30))
def test_comments_do_not_hide_what_follows(inside):
    body = "NEURON { SUFFIX found }"
    for text in (
        f"COMMENT\n{inside}\nENDCOMMENT\n{body}",
        f"VERBATIM\n{inside}\nENDVERBATIM\n{body}",
    ):
        stripped = nmodl.strip_comments(text)
        assert stripped.endswith(body) and stripped[: -len(body)].strip() == ""
