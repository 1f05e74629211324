"""Every kind of broken input ends with exit code 2, one clear error, and nothing half-written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from workbench import Bench

from pipeline.cli import main
from pipeline.sonata.reports import ReportWriter

Words = list[str]
Case = Callable[[Bench], tuple[Words, Words]]
SOUND: dict[str, Case] = {}
BUILT: dict[str, Case] = {}


def broken(name: str, table: dict[str, Case] = SOUND) -> Callable[[Case], Case]:
    """Registers a case: breaks the bench, returns the command and what the error must contain."""

    def add(case: Case) -> Case:
        assert name not in table
        table[name] = case
        return case

    return add


def run(arguments: Words, capsys) -> tuple[int, str]:
    """Runs the command line in this process; returns its code and stderr."""
    capsys.readouterr()
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse
        code = stop.code
    return code, capsys.readouterr().err


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder with their bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def complete(path: Path) -> None:
    """Asserts that a file is whole."""
    if path.suffix == ".json":
        json.loads(path.read_text())
    else:
        with h5py.File(path, "r") as handle:
            assert "report" in handle


def check(case: Case, bench: Bench, capsys, tmp_path: Path) -> None:
    arguments, expected = case(bench)
    before = files(tmp_path)
    code, error = run(arguments, capsys)
    assert code == 2, f"exit code {code}: {error}"
    assert "Traceback" not in error
    for text in expected:
        assert text in error, f"{text!r} is not in: {error}"
    told = [line for line in error.splitlines() if "error: " in line]
    assert len(told) == 1, error
    assert re.search(r"\(.*\S.*\)$|; \w.*$|: invalid choice|argument|required", told[0]), told[0]
    after = files(tmp_path)
    plan = re.compile(r"/sim/[^/]*/(input_[^/]*\.h5|simulation_config\.json)$")
    for name in [name for name in after if name not in before and plan.search(name)]:
        complete(tmp_path / name)  # the plan of a run that failed later
        del after[name]
    assert sorted(after) == sorted(before), "left something behind"
    assert after == before, "changed something"


# ---- the config file ----


def edited(
    name: str, old: str, new: str, *expected: str, verb: str = "validate", file="model.yaml"
):
    """Registers a case that replaces one text; the error must name the place of the change."""

    @broken(name)
    def _(bench: Bench):
        where = bench.edit(file, old, new)
        return bench.command(verb), [where, *expected]


def content(name: str, file: str, text: str | bytes, *expected: str, verb: str = "validate"):
    """Registers a case that replaces a whole file."""

    @broken(name)
    def _(bench: Bench):
        return bench.command(verb), [str(bench.write(file, text)), *expected]


@broken("config: missing file")
def _(bench):
    return ["validate", str(bench.folder / "none.yaml")], ["none.yaml", "no such model file"]


@broken("config: a folder without model.yaml")
def _(bench):
    return ["validate", str(bench.folder / "tables")], ["tables", "no such model file"]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
content("config: empty file", "model.yaml", "", "the file is empty")
content("config: only comments", "model.yaml", "# later\n", "the file is empty")
content("config: not YAML", "model.yaml", "schema: 1\nname: [a, b\n", "model.yaml:3", "YAML")
content("config: tabs", "model.yaml", "schema: 1\ncells:\n\tpath: x\n", "model.yaml:3", "YAML")
content("config: not UTF-8", "model.yaml", b"title: caf\xe9\n", "not UTF-8 at byte 10")
content("config: control characters", "model.yaml", b"title: a\x00b\n", "YAML")
content("config: alias bomb", "model.yaml", BOMB, "too many values")
content("config: alias of itself", "model.yaml", "a: &a [*a]\n", "model.yaml:1")
content("config: a list at the top", "model.yaml", "- a\n- b\n", "model.yaml:1", "expected keys")
content("config: larger than 8 MiB", "model.yaml", "# x\n" * 2**21 + "a: 1\n", "larger than 8 MiB")

edited("config: doubled key", "seed: 1\n", "name: twice\n", "'name' stands twice", "remove one")
edited(
    "config: Python tag",
    "title: starter, a starter model",
    "title: !!python/object/apply:os.mkdir [made]",
    "python/object/apply:os.mkdir",
    "is not allowed",
)
edited("config: unknown key", "simulation:\n", "simulaton:\n", "did you mean 'simulation'?")
edited(
    "config: unknown key deep inside",
    "tolerance: 200 um",
    "tolerence: 200 um",
    "edges.wiring.tolerence",
    "did you mean 'tolerance'?",
)


@broken("config: missing key")
def _(bench):
    bench.edit("model.yaml", "    table: tables", "    # table: tables")
    return bench.command("validate"), ["model.yaml:19  nodes.cells", "'table' is missing", "add it"]


edited("config: wrong type", "seed: 1", "seed: many", "seed", "integer", "'many'")
edited("config: list for a map", "record:\n      soma: {nodes: cells}", "record: [cells]",
       "simulation.drive.record", "found ['cells']", "keys with values")  # fmt: skip
edited("config: map for a list", "sets: [driven]", "sets: {driven: 1}", "sets", "list")
edited("config: unknown kind", "kind: contacts", "kind: contact", "'contact'", "'contacts'")
edited("config: unknown law", "law: constant, value: {value: 1,", "law: fixed, value: {value: 1,",
       "law is 'fixed'", "constant")  # fmt: skip
edited("config: wrong unit", "dt: 0.025 ms", "dt: 0.025 mV", "dt", "unit 'mV'", "ms, s, us")
edited("config: no quantity", "dt: 0.025 ms", "dt: small", "'small'", "'1 ms'")
edited("config: not finite", "celsius: 6.3 degC", "celsius: .inf", "celsius", "finite")
edited("config: negative dt", "dt: 0.025 ms", "dt: -0.025 ms", "dt", "above 0 ms", "-0.025")
edited("config: probability above 1", "tolerance: 200 um", "gap_first: 1.5",
       "gap_first", "1.5 is not between 0 and 1")  # fmt: skip
edited("config: probability is text", "tolerance: 200 um", "gap_first: often", "gap_first", "often")
edited("config: schema version", "schema: 1", "schema: 2", "schema", "2")
edited("config: path as name", "name: starter", "name: ../../etc", "name", "'../../etc'")
edited("config: path as run name", "  drive:\n", "  a/b:\n", "a/b")
edited("config: path leaves the folder", "tables/cells.csv ", "../../secret.csv ",
       "leaves the model's folder", "absolute path")  # fmt: skip
edited("config: ranks of zero", "ranks: 1", "ranks: 0", "ranks", "greater than or equal to 1")
edited("config: times without amplitudes", "amplitudes: [0.3 nA, 0 nA]", "amplitudes: [0.3 nA]",
       "2 times for 1 amplitudes")  # fmt: skip
edited(
    "config: times that fall", "times: [10 ms, 90 ms]", "times: [90 ms, 10 ms]", "times must rise"
)
edited("config: unknown node set", "nodes: driven, times", "nodes: drivn, times",
       "no node population or set 'drivn'", "did you mean 'driven'?")  # fmt: skip
edited(
    "config: unknown recorded set",
    "soma: {nodes: cells}",
    "soma: {nodes: cels}",
    "did you mean 'cells'?",
)
edited(
    "config: unknown population",
    "source: cells\n",
    "source: cels\n",
    "'cels'",
    "did you mean 'cells'?",
)
edited(
    "config: unknown connectome", "connectome: ring ", "connectome: rings ", "'rings'", "'ring'?"
)
edited("config: unknown mechanism set", "mechanisms: [worm]", "mechanisms: [wrm]", "'wrm'", "worm")
edited(
    "config: duration no multiple of dt",
    "duration: 100 ms",
    "duration: 100.01 ms",
    "no multiple of dt",
)
edited("config: report interval no multiple of dt", "soma: {nodes: cells}",
       "soma: {nodes: cells, every: 0.03 ms}", "no multiple", "0.025 ms")  # fmt: skip
edited("config: missing table", "tables/cells.csv ", "tables/cell.csv ", "no such file", "cell.csv")
edited("config: missing folder", "emodels: emodels", "emodels: models", "no such folder", "models")
edited(
    "config: missing column", "morphology_column: morphology", "morphology_column: shape", "'shape'"
)
edited("config: unknown default variant", "seed: 1", "default_variant: fast", "no variant 'fast'")
edited("config: annotated number of a wrong unit", "value: 1e-4,", "value: 1 mV,", "'1 mV'")

# ---- variants ----


@broken("variant: typo in a path")
def _(bench):
    words = bench.variant("set:\n  simulation.drive.duraton: 1 ms\n")
    return ["validate", *words], ["v.yaml:4", "duraton", "did you mean 'duration'?"]


@broken("variant: removes what is not there")
def _(bench):
    words = bench.variant("remove: [simulation.drve]\n")
    return ["validate", *words], ["v.yaml:3", "simulation.drve", "did you mean 'drive'?"]


@broken("variant: value for a map")
def _(bench):
    words = bench.variant("set:\n  cells.morphologies: here\n")
    return ["validate", *words], ["v.yaml:4", "a value cannot replace a map", "model.yaml:"]


@broken("variant: set is a list")
def _(bench):
    return ["validate", *bench.variant("set: [a]\n")], ["v.yaml:3", "set must map paths to values"]


@broken("variant: remove is a map")
def _(bench):
    return ["validate", *bench.variant("remove: 3\n")], ["v.yaml:3", "remove"]


@broken("variant: a path into a list that is too short")
def _(bench):
    words = bench.variant("set:\n  limits[7]: none\n")
    return ["validate", *words], ["v.yaml:4", "limits"]


@broken("variant: a path through a number")
def _(bench):
    words = bench.variant("set:\n  seed.value.deep: 3\n")
    return ["validate", *words], ["v.yaml:4", "seed.value"]


@broken("variant: a value the schema refuses")
def _(bench):
    words = bench.variant("set:\n  simulation.drive.dt: 3 mV\n")
    return ["validate", *words], ["v.yaml:4", "simulation.drive.dt", "unit 'mV'"]


@broken("variant: model keys in a variant")
def _(bench):
    return ["validate", *bench.variant("seed: 2\n")], ["v.yaml:3", "unknown key 'seed'", "use set:"]


@broken("variant: extends itself in a circle")
def _(bench):
    bench.write("variants/a.yaml", "extends: b.yaml\n")
    bench.write("variants/b.yaml", "extends: a.yaml\n")
    return ["validate", str(bench.model), "a"], ["a.yaml", "circle", "a.yaml -> b.yaml -> a.yaml"]


@broken("variant: extends nothing")
def _(bench):
    bench.write("variants/a.yaml", "name: a\nextends: ../modle.yaml\n")
    return ["validate", str(bench.model), "a"], ["a.yaml:2", "no such file: '../modle.yaml'"]


@broken("variant: a path as its name")
def _(bench):
    bench.write("variants/a.yaml", "extends: ../model.yaml\nname: ../../x\n")
    return ["validate", str(bench.model), "a"], ["a.yaml", "../../x"]


@broken("variant: unknown")
def _(bench):
    bench.variant("", "quick")
    return ["validate", str(bench.model), "quik"], ["no variant 'quik'", "did you mean 'quick'?"]


def test_all_problems_of_a_config_are_told_at_once(bench, capsys):
    places = [
        bench.edit("model.yaml", "dt: 0.025 ms", "dt: 0.025 mV"),
        bench.edit("model.yaml", "seed: 1", "sed: 1"),
        bench.edit("model.yaml", "tolerance: 200 um", "tolerance: -1 um"),
        bench.edit(
            "model.yaml", "excitatory: {conductance: 1 nS", "excitatory: {conductance: 1 ms"
        ),
    ]
    code, error = run(bench.command("validate"), capsys)
    assert code == 2
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(lines) == len(places)
    assert all(any(place in line for line in lines) for place in places), error


def test_all_problems_of_all_files_are_told_at_once(bench, capsys):
    places = [
        bench.edit("tables/cells.csv", "b,cell_b,hh,0", "b,cell_b,hh,maybe"),
        bench.edit("tables/connectomes/ring.csv", "a,b,chemical,4", "a,b,chemical,four"),
        bench.edit("emodels/hh.yaml", "cm: 1 uF/cm2", "cm: 1 mV"),
        str(bench.write("morphologies/cell_c.swc", "nonsense\n")),
    ]
    code, error = run(bench.command("validate"), capsys)
    assert code == 2
    assert all(place in error for place in places), error


# ---- tables ----

CELLS = "tables/cells.csv"
RING = "tables/connectomes/ring.csv"
edited("cells: doubled name", "b,cell_b,hh,0", "a,cell_b,hh,0", "'a' stands twice", file=CELLS)
edited(
    "cells: flag not 0 or 1",
    "b,cell_b,hh,0",
    "b,cell_b,hh,yes",
    "'yes'",
    "write 0 or 1",
    file=CELLS,
)
edited("cells: empty field", "b,cell_b,hh,0", "b,,hh,0", "morphology is empty", file=CELLS)
edited(
    "cells: too many fields", "b,cell_b,hh,0", "b,cell_b,hh,0,9", "5 fields", "has 4", file=CELLS
)
edited(
    "cells: unknown e-model", "b,cell_b,hh,0", "b,cell_b,HH,0", "no e-model 'HH'", "hh", file=CELLS
)
content("cells: empty table", CELLS, "", "the table is empty")
content("cells: header alone", CELLS, "name,morphology,emodel,driven\n", "no cell")
content(
    "cells: not UTF-8", CELLS, b"name,morphology,emodel,driven\n\xff,cell_a,hh,1\n", "not UTF-8"
)


@broken("cells: a column twice")
def _(bench):
    where = bench.edit(CELLS, "name,morphology,emodel,driven", "name,morphology,name,driven")
    column = "    morphology_column: morphology\n"
    bench.edit("model.yaml", column, f"{column}    emodel_column: name\n")
    return bench.command("validate"), [where, "'name'", "twice"]


@broken("cells: empty selection")
def _(bench):
    bench.edit(CELLS, "a,cell_a,hh,1", "a,cell_a,hh,0")
    bench.edit("model.yaml", "sets: [driven]", "subset: driven\n    sets: [driven]")
    return bench.command("nodes"), ["cells.csv", "no cell has driven = 1"]


edited(
    "connectome: header",
    "pre,post,kind,count",
    "from,to,kind,count",
    "header",
    "pre,post",
    file=RING,
)
edited("connectome: no number", "b,c,chemical,4", "b,c,chemical,x", "count is 'x'", file=RING)
edited("connectome: negative", "b,c,chemical,4", "b,c,chemical,-4", "count is '-4'", file=RING)
edited("connectome: infinite", "b,c,chemical,4", "b,c,chemical,inf", "count is 'inf'", file=RING)
edited("connectome: unknown kind", "b,c,chemical,4", "b,c,magic,4", "kind is 'magic'", file=RING)
edited("connectome: doubled pair", "c,a,chemical,4", "a,b,chemical,4", "stands twice", file=RING)
edited("connectome: too few fields", "b,c,chemical,4", "b,c", "2 fields", "has 4", file=RING)
content("connectome: empty", RING, "", "the table is empty")


@broken("connectome: one-sided gap junction")
def _(bench):
    bench.edit(RING, "b,a,electrical,2\n", "")
    return bench.command("validate"), ["ring.csv", "electrical pair a, b", "both directions"]


@broken("connectome: knows none of the cells")
def _(bench):
    bench.write(RING, "pre,post,kind,count\nx,y,chemical,3\n")
    return bench.command("validate"), ["ring.csv", "none of the 3 cells"]


# ---- morphologies ----

SWC = "morphologies/cell_b.swc"
SOMA = "1 1 0 0 0 10 -1\n2 1 0 20 0 10 1\n"


def morphology(name: str, text: str | bytes, *expected: str) -> None:
    content(f"morphology: {name}", SWC, text, *expected)
    content(f"morphology: {name} (nodes)", SWC, text, *expected, verb="nodes")


morphology("empty", "", "cell_b.swc")
morphology("garbage", bytes(range(256)) * 9, "cell_b.swc")
morphology("no soma", "1 3 0 0 0 1 -1\n2 3 0 9 0 1 1\n", "soma")
morphology("two roots", SOMA + "3 3 0 50 0 1 -1\n4 3 0 90 0 1 3\n", "swc:3", "disconnected")
morphology("two somata", SOMA + "3 3 0 50 0 1 2\n4 1 0 90 0 9 -1\n5 1 0 99 0 9 4\n", "soma")
morphology("not a number", SOMA + "3 3 0 nan 0 1 2\n4 3 0 90 0 1 3\n", "cell_b.swc")
morphology("infinite diameter", SOMA + "3 3 0 50 0 1 2\n4 3 0 90 0 inf 3\n", "cell_b.swc")
morphology("no length", SOMA + "3 3 0 50 0 1 2\n4 3 0 50 0 1 3\n", "section 1", "no length")
morphology("zero radius", SOMA + "3 3 0 50 0 0 2\n4 3 0 90 0 0 3\n", "section 1", "diameter")
morphology("unknown type", SOMA + "3 9 0 50 0 1 2\n4 9 0 90 0 1 3\n", "type 9", "known")
morphology("type is text", SOMA + "3 dend 0 50 0 1 2\n", "cell_b.swc")
morphology("parent missing", SOMA + "3 3 0 50 0 1 77\n", "77")
morphology("parent of itself", SOMA + "3 3 0 50 0 1 3\n", "cell_b.swc")
morphology("doubled id", SOMA + "3 3 0 50 0 1 2\n3 3 0 90 0 1 2\n", "3")
morphology("too few columns", SOMA + "3 3 0 50\n", "cell_b.swc")


@broken("morphology: missing")
def _(bench):
    bench.path(SWC).unlink()
    return bench.command("nodes"), ["cell_b.swc", "no such morphology"]


@broken("morphology: path as name")
def _(bench):
    bench.edit(CELLS, "b,cell_b,hh,0", "b,../emodels/x,hh,0")
    return bench.command("nodes"), ["../emodels/x", "not a plain morphology name"]


# ---- e-models ----

HH = "emodels/hh.yaml"
edited(
    "e-model: unknown mechanism", "    hh: {}", "    Hh: {}", "'Hh'", "did you mean 'hh'?", file=HH
)
edited(
    "e-model: unknown parameter", "    hh: {}", "    hh: {gnabr: 0.1}", "gnabr", "gnabar", file=HH
)
edited(
    "e-model: parameter of ours unknown",
    "    hh: {}",
    "    egl19: {gbr: 0.1}",
    "gbr",
    "gbar",
    file=HH,
)
edited("e-model: parameter is text", "    hh: {}", "    hh: {gnabar: much}", "much", file=HH)
edited("e-model: point process as channel", "    hh: {}", "    GradedSyn: {}", "GradedSyn", file=HH)
edited("e-model: wrong name", "name: hh", "name: hodgkin", "'hodgkin'", "make them equal", file=HH)
edited("e-model: unknown section list", "  soma:\n", "  somata:\n", "somata", file=HH)
edited("e-model: wrong unit", "cm: 1 uF/cm2", "cm: 1 uS", "passive.all.cm", "unit 'uS'", file=HH)
edited("e-model: zero capacitance", "cm: 1 uF/cm2", "cm: 0", "above 0 uF/cm2", file=HH)
content("e-model: missing passive", HH, "schema: 1\nname: hh\nsource: x\n", "'passive' is missing")
content("e-model: not YAML", HH, "schema: {\n", "hh.yaml:2", "YAML")


@broken("e-model: no passive values for some sections")
def _(bench):
    axon = "  axon: {Ra: 1, cm: 1, g_pas: 0, e_pas: 0}\n"
    bench.edit(HH, "  all: {Ra", axon + "  soma: {Ra")
    return bench.command("validate"), ["hh.yaml", "no passive properties for dend sections"]


@broken("e-model: none at all")
def _(bench):
    bench.path(HH).unlink()
    return bench.command("nodes"), ["emodels", "no e-model"]


# ---- clamp protocols ----

PROTOCOL = """  protocols:
    step: {kind: current_clamp, cell: cell_a, emodel: hh, levels: [0, 0.1 nA], duration: 20 ms,
           delay: 5 ms, tail: 5 ms, window: [5 ms, 15 ms], dt: 0.025 ms, reference: tables/ref.csv}
nodes:
"""


def clamp(name: str, table: str, change: tuple[str, str], *expected: str, verb="cells") -> None:
    @broken(f"protocol: {name}", BUILT)
    def _(bench):
        bench.edit("model.yaml", "nodes:\n", PROTOCOL.replace(*change))
        bench.write("tables/ref.csv", table)
        return bench.command(verb), list(expected)


LEVELS = "level,value\n0,-65\n0.1,-60\n"
clamp("unknown e-model", LEVELS, ("emodel: hh", "emodel: hhh"), "'hhh'", "did you mean 'hh'?")
clamp("missing morphology", LEVELS, ("cell_a", "cell_x"), "cell_x.swc", "no such morphology")
clamp("window outside the step", LEVELS, ("15 ms]", "95 ms]"), "5 to 95 ms", "lasts 20 ms")
clamp("reference at other levels", "level,value\n0,-65\n", ("", ""), "ref.csv", "levels")
clamp("reference without columns", "a,b\n0,-65\n", ("", ""), "ref.csv", "level and value")
clamp("reference with text", "level,value\n0,-65\n0.1,x\n", ("", ""), "ref.csv", "numbers")
clamp("missing morphology (validate)", LEVELS, ("cell_a", "cell_x"), "cell_x.swc", verb="validate")

# ---- NMODL ----

MOD = """NEURON {
    SUFFIX %s
    NONSPECIFIC_CURRENT i
    RANGE g, i
}
PARAMETER { g = 0.001 (S/cm2) }
ASSIGNED { v (mV) i (mA/cm2) }
BREAKPOINT {
    i = g * (v + 60)
}
"""
LEAK = MOD % "leak"


def mechanisms(name: str, files: dict[str, str], *expected: str) -> None:
    @broken(f"NMODL: {name}")
    def _(bench):
        bench.edit("model.yaml", "mechanisms: [worm]", "mechanisms: [own]")
        for file, text in files.items():
            bench.write(f"own/{file}", text)
        return bench.command("compile"), list(expected)


mechanisms(
    "broken syntax", {"a.mod": LEAK.replace("i = g * (v", "i = g * * (v")}, "a.mod:9", "correct"
)
mechanisms("no NEURON block", {"a.mod": "PARAMETER { g = 1 }\n"}, "a.mod:1", "no NEURON block")
mechanisms(
    "NEURON block left open", {"a.mod": "\nNEURON {\n SUFFIX a\n"}, "a.mod:2", "does not end"
)
mechanisms(
    "doubled SUFFIX", {"a.mod": LEAK, "b.mod": LEAK}, "b.mod:1", "'leak'", "a.mod:1", "rename"
)
mechanisms("a name of NEURON", {"a.mod": MOD % "pas"}, "a.mod:1", "'pas' is built into NEURON")
mechanisms(
    "C++ error",
    {"a.mod": LEAK.replace("    i = g", "VERBATIM\n    nowhere(1);\nENDVERBATIM\n    i = g")},
    "a.mod:10", "nowhere",
)  # fmt: skip
mechanisms("no file", {"readme.txt": "later"}, "no mechanism set 'own'")


@broken("NMODL: one file name, two contents")
def _(bench):
    bench.edit("model.yaml", "mechanisms: [worm]", "mechanisms: [own, other]")
    bench.write("own/a.mod", LEAK)
    bench.write("other/a.mod", MOD % "leek")
    return bench.command("compile"), ["a.mod", "differs from", "rename"]


@broken("NMODL: unknown set on the command line")
def _(bench):
    return ["compile", "wurm"], ["'wurm'", "did you mean worm?"]


# ---- SONATA ----


def damaged(name: str, verb: str = "simulate") -> Callable:
    """Registers a case on a built circuit; the function breaks it and returns what is expected."""

    def add(breaks: Callable[[Bench], Words]) -> None:
        @broken(name, BUILT)
        def _(bench):
            expected = breaks(bench)
            if verb == "check":
                return ["check", str(bench.path("@circuit_config.json"))], expected
            return bench.command(verb), expected

    return add


NODES, EDGES = "@network/cells.nodes.h5", "@network/cells__cells__chemical.edges.h5"


def truncate(bench: Bench, name: str) -> None:
    path = bench.path(name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


for _verb in ("edges", "circuit", "simulate", "check"):

    @damaged(f"SONATA: truncated nodes ({_verb})", _verb)
    def _(bench):
        truncate(bench, NODES)
        return ["cells.nodes.h5"]


for _verb in ("circuit", "simulate", "check"):

    @damaged(f"SONATA: truncated edges ({_verb})", _verb)
    def _(bench):
        truncate(bench, EDGES)
        return ["chemical.edges.h5"]

    @damaged(f"SONATA: edges without targets ({_verb})", _verb)
    def _(bench):
        with h5py.File(bench.path(EDGES), "r+") as handle:
            del handle["edges/cells__cells__chemical/target_node_id"]
        return ["chemical.edges.h5", "target_node_id"]

    @damaged(f"SONATA: edges to nowhere ({_verb})", _verb)
    def _(bench, verb=_verb):
        with h5py.File(bench.path(EDGES), "r+") as handle:
            handle["edges/cells__cells__chemical/source_node_id"][0] = 77
        if verb == "simulate":
            return ["chemical.edges.h5", "nodes that do not exist", "sonatina check"]
        return ["chemical.edges.h5", "77"]


@damaged("SONATA: circuit config is not JSON (check)", "check")
def _(bench):
    bench.write("@circuit_config.json", "{networks: ")
    return ["circuit_config.json", "is not JSON"]


@damaged("SONATA: circuit config is not JSON (simulate)")
def _(bench):
    bench.write("@circuit_config.json", "{networks: ")
    return ["circuit_config.json", "is not JSON"]


@damaged("SONATA: circuit config is a list", "check")
def _(bench):
    bench.write("@circuit_config.json", "[]")
    return ["circuit_config.json", "expected a JSON object"]


@damaged("SONATA: node sets are not JSON")
def _(bench):
    bench.write("@node_sets.json", "{")
    return ["node_sets.json", "is not JSON"]


@damaged("SONATA: a node set is gone")
def _(bench):
    bench.write("@node_sets.json", '{"cells": {"population": "cells"}}')
    return ["node_sets.json", "no node set 'driven'", "cells"]


@damaged("SONATA: types table is gone (simulate)")
def _(bench):
    bench.path("@network/cells__cells__chemical.edge_types.csv").unlink()
    return ["chemical.edge_types.csv"]


@damaged("SONATA: an e-model is gone (simulate)")
def _(bench):
    bench.path("@components/emodels/hh.json").unlink()
    return ["hh.json"]


@damaged("SONATA: a morphology is gone (edges)", "edges")
def _(bench):
    bench.path("@components/morphologies/cell_b.swc").unlink()
    return ["cell_b.swc", "no such morphology"]


@damaged("SONATA: a morphology is gone (check)", "check")
def _(bench):
    bench.path("@components/morphologies/cell_b.swc").unlink()
    return ["morphologies", "cell_b"]


@damaged("SONATA: a morphology is gone (simulate)")
def _(bench):
    bench.path("@components/morphologies/cell_b.swc").unlink()
    return ["cell_b.swc", "does not exist", "sonatina nodes"]


@damaged("SONATA: mechanisms.json is damaged")
def _(bench):
    bench.write("@components/mechanisms.json", '{"libr')
    return ["mechanisms.json", "is not JSON"]


@damaged("SONATA: compiled library is gone")
def _(bench):
    bench.write("@components/mechanisms.json", '{"library": "/nonexistent/libnrnmech.so"}')
    return ["mechanisms.json", "/nonexistent/libnrnmech.so is gone", "sonatina compile"]


@damaged("SONATA: compiled library is no library")
def _(bench):
    library = bench.write("@libnrnmech.so", "text")
    bench.write("@components/mechanisms.json", f'{{"library": "{library}"}}')
    return ["libnrnmech.so"]


@broken("SONATA: check of a missing file")
def _(bench):
    return ["check", str(bench.out / "none.json")], [
        "none.json",
        "cannot be read",
        "check the path",
    ]


# ---- stages out of order ----


def early(verb: str, missing: tuple[str, ...], *expected: str) -> None:
    @broken(f"order: {verb} without {missing[0].lstrip('@')}", BUILT)
    def _(bench):
        for name in missing:
            bench.path(name).unlink()
        return bench.command(verb), list(expected)


early("edges", (NODES,), "cells.nodes.h5", "sonatina nodes")
early("circuit", (NODES,), "cells.nodes.h5", "sonatina nodes")
early("circuit", (EDGES,), "chemical.edges.h5", "sonatina edges")
early("simulate", ("@circuit_config.json",), "circuit_config.json", "sonatina circuit")
early("simulate", ("@node_sets.json",), "node_sets.json", "sonatina nodes")
early("simulate", ("@components/mechanisms.json",), "mechanisms.json", "sonatina compile")


for _verb in ("edges", "circuit", "simulate"):

    @broken(f"order: {_verb} before anything")
    def _(bench, verb=_verb):
        return bench.command(verb), ["sonatina"]


# ---- currents from files ----


def currents(
    name: str, *expected: str, units="nA", nodes=(0,), value=0.1, population="cells"
) -> None:
    @broken(f"currents: {name}", BUILT)
    def _(bench):
        file = bench.folder / "currents.h5"
        rows = np.full((4, len(nodes)), value)
        soma = np.zeros(len(nodes), int)
        with ReportWriter(
            file, population, np.array(nodes), soma, soma + 0.5, 1.0, 0.0, 4.0, units,
            dtype="float64",
        ) as writer:  # fmt: skip
            writer.append(rows)
        return bench.command("simulate"), [from_file(bench), *expected]


def from_file(bench: Bench) -> str:
    change = "step: {kind: file, nodes: driven, population: cells, file: currents.h5}"
    bench.edit(
        "model.yaml",
        "step: {kind: step, nodes: driven, times: [10 ms, 90 ms], amplitudes: [0.3 nA, 0 nA]}",
        change,
    )
    return "currents.h5"


currents("wrong units", "units are 'mV'", "nA", units="mV")
currents("missing nodes", "node ids [0]", nodes=(1, 2))
currents("not a number", "not finite", value=np.nan)
currents("another population", "no population 'cells'", "axons", population="axons")


@broken("currents: not HDF5", BUILT)
def _(bench):
    bench.write("currents.h5", "time,current\n")
    return bench.command("simulate"), [from_file(bench), "HDF5"]


@broken("currents: no report", BUILT)
def _(bench):
    with h5py.File(bench.folder / "currents.h5", "w") as handle:
        handle["report/cells/data"] = np.zeros((3, 1))
    return bench.command("simulate"), [from_file(bench), "mapping"]


@broken("currents: missing file")
def _(bench):
    return bench.command("validate"), [from_file(bench), "no such file", "model.yaml:"]


# ---- tools and places ----


@pytest.fixture
def no_tools(monkeypatch, tmp_path):
    """A PATH without any program."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


def test_a_missing_compiler_says_what_to_install(bench, capsys, tmp_path, no_tools):
    expected = ["was not found", "apt install g++"]
    check(lambda b: (b.command("compile"), expected), bench, capsys, tmp_path)


@pytest.mark.parametrize("by_option", [True, False], ids=["option", "environment"])
def test_a_missing_mpi_launcher_says_what_to_install(
    built, capsys, tmp_path, monkeypatch, by_option
):
    more = ["--mpi", "/nonexistent/mpiexec"] if by_option else []
    if not by_option:
        monkeypatch.setenv("SONATINA_MPI", "/nonexistent/mpiexec")
    words = built.command("simulate", "--ranks", "2", *more)
    expected = ["/nonexistent/mpiexec", "pip install mpich", "SONATINA_MPI"]
    check(lambda b: (words, expected), built, capsys, tmp_path)


def test_an_mpi_library_that_is_a_linker_script_is_named(built, capsys, tmp_path, monkeypatch):
    script = built.write("libmpi.so", "INPUT(libmpi.so.12)\n")
    monkeypatch.setenv("SONATINA_MPI_LIB", str(script))
    expected = ["SONATINA_MPI_LIB", str(script), "no shared library", ".so file itself"]
    words = built.command("simulate", "--ranks", "2")
    check(lambda b: (words, expected), built, capsys, tmp_path)


@pytest.mark.parametrize("verb", ["compile", "nodes", "run"])
def test_an_output_folder_that_cannot_be_made_is_named(verb, bench, capsys, tmp_path):
    place = bench.write("regular", "a file")
    words = [verb, str(bench.model), "--out", str(place / "below")]
    expected = [str(place), "cannot write here", "--out"]
    check(lambda b: (words, expected), bench, capsys, tmp_path)


def test_a_cache_that_cannot_be_made_is_named(bench, capsys, tmp_path):
    place = bench.write("regular", "a file")
    words = bench.command("compile", "--cache", str(place / "below"))
    expected = [str(place), "cannot write here", "--cache"]
    check(lambda b: (words, expected), bench, capsys, tmp_path)


# ---- the command line itself ----


def words(name: str, arguments: Words, *expected: str) -> None:
    @broken(f"command: {name}")
    def _(bench):
        known = {"MODEL": str(bench.model)}
        return [known.get(word, word) for word in arguments], list(expected)


words("unknown verb", ["simulat", "worm"], "simulat", "simulate")
words("no verb", [], "VERB")
words("no model", ["simulate"], "model")
words("unknown option", ["nodes", "MODEL", "--rank", "3"], "--rank")
words("ranks of zero", ["simulate", "MODEL", "--ranks", "0"], "--ranks", "1 or more")
words(
    "ranks that are no number", ["simulate", "MODEL", "--ranks", "two"], "--ranks", "'two'", "whole"
)
words("unknown model", ["show", "wrom"], "wrom", "did you mean 'worm'?")
words("unknown variant", ["show", "worm", "tinny"], "tinny", "did you mean 'tiny'?")
words("unknown path", ["show", "MODEL", "--path", "cells.nothing"], "cells.nothing", "no such key")
words("unknown run", ["simulate", "MODEL", "--name", "driv"], "driv", "did you mean 'drive'?")
words("unknown edges", ["edges", "MODEL", "--name", "wirin"], "wirin", "did you mean 'wiring'?")
words("new with a path as name", ["new", "../evil"], "../evil", "plain name")
words("new over what exists", ["new", "starter"], "starter", "exists already")
words("import of a missing wheel", ["import", "c302", "none.whl", "."], "no such table")


# ---- all of them ----


@pytest.mark.parametrize("name", list(SOUND))
def test_broken_input_gives_one_clear_error(name, bench, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(SOUND[name], bench, capsys, tmp_path)


@pytest.mark.parametrize("name", list(BUILT))
def test_damage_after_building_gives_one_clear_error(name, built, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check(BUILT[name], built, capsys, tmp_path)


def test_the_starter_itself_is_sound(built, capsys):
    """Otherwise every case above might fail for another reason than its own."""
    assert run(built.command("validate"), capsys) == (0, "")
    assert run(built.command("simulate"), capsys)[0] == 0
    assert run(["check", str(built.circuit / "circuit_config.json")], capsys)[0] == 0
