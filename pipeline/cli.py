"""The command line: one verb per stage, each a plain function call."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from pipeline.errors import DiskError, PipelineError
from pipeline.runtime import full_disk, pin_display, pin_kernels, pin_threads, setup_logging


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb; returns 0 when fine, 1 after a failure, 2 when the user must change something."""
    if arguments is None:
        _speak_utf8()
    pin_threads()
    pin_kernels()
    pin_display()
    parser = build_parser()
    options = parser.parse_args(arguments)
    setup_logging(options.verbose)
    try:
        return options.run(options) or 0
    except PipelineError as error:
        for problem in error.problems:
            label = "warning" if problem.level == "warning" else "error"
            print(f"{label}: {problem}", file=sys.stderr)
        if isinstance(error, DiskError):
            _leave(error.exit_code)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if problem := full_disk(error):
            print(f"error: {problem}", file=sys.stderr)
            _leave(2)
        where = error.filename or error.filename2 or "a file"
        advice = "check that it exists and may be read or written"
        print(f"error: {where}: {error.strerror or error} ({advice})", file=sys.stderr)
        return 2


def _speak_utf8() -> None:
    """Starts over in Python's UTF-8 mode where the locale says otherwise: so are our files and names."""
    if sys.getfilesystemencoding() != "utf-8":
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _leave(code: int) -> NoReturn:
    """Ends the process at once: HDF5 crashes when it ends with data that it could not write."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def build_parser() -> argparse.ArgumentParser:
    """Builds the parser; imports of stages happen only when a verb runs."""
    from pipeline import circuit_commands, commands

    parser = argparse.ArgumentParser(
        prog="sonatina", description="Build, simulate and judge connectome-based brain models."
    )
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, function, example: str) -> argparse.ArgumentParser:
        text = (function.__doc__ or "").strip()
        sub = verbs.add_parser(
            name, help=text.splitlines()[0], description=text, epilog=f"example: sonatina {example}"
        )
        sub.set_defaults(run=function)
        return sub

    def stage(name: str, function, example: str = "") -> argparse.ArgumentParser:
        sub = verb(name, function, example or f"{name} worm")
        _model_arguments(sub)
        return sub

    verb("list", commands.list_all, "list")
    verb("engines", commands.list_engines, "engines").add_argument(
        "--json", action="store_true", help="print JSON instead of a table"
    )
    stage("show", commands.show, "show worm tiny").add_argument(
        "--path", help="only this dotted path"
    )
    stage("validate", commands.validate)
    stage("plan", commands.plan, "plan v1 full --json").add_argument(
        "--json", action="store_true", help="print JSON instead of a table"
    )
    new = verb("new", commands.new, "new mymodel")
    new.add_argument("model", help="name of the new model")
    compiled = verb("compile", circuit_commands.compile_mechanisms, "compile worm")
    compiled.add_argument("model", metavar="MODEL|SET", help="a model, or a mechanism set")
    compiled.add_argument("variant", nargs="?", help="variant of the model")
    _out_argument(compiled)
    compiled.add_argument("--coreneuron", action="store_true", help="build for CoreNEURON too")
    compiled.add_argument("--cache", type=Path, help="folder of compiled mechanisms")
    stage("cells", circuit_commands.cells)
    morphologies = stage("morphologies", circuit_commands.morphologies, "morphologies column tiny")
    morphologies.add_argument("--workers", type=_positive, default=2, help="processes")
    morphologies.add_argument("--cache", type=Path, help="folder of grown exemplars")
    stage("nodes", circuit_commands.nodes)
    edges = stage("edges", circuit_commands.edges)
    edges.add_argument("--name", help="one key under edges; default all")
    edges.add_argument("--part", type=_part, metavar="I/N", help="build one part of a rules config")
    edges.add_argument("--merge", type=_positive, metavar="N", help="join N finished parts")
    calibrate = stage("calibrate", circuit_commands.calibrate, "calibrate column small")
    calibrate.add_argument("--name", help="one key under edges; default all of kind touches")
    calibrate.add_argument("--save", action="store_true", help="write the model's own table")
    stimulus = stage("stimulus", circuit_commands.stimulus, "stimulus v1 tiny --name gratings")
    stimulus.add_argument("--name", help="one key under stimuli; default all")
    stimulus.add_argument("--workers", type=_positive, default=2, help="processes for the rates")
    stimulus.add_argument("--cache", type=Path, help="folder of computed rates")
    _verbs_of_runs(stage)
    _verbs_on_emodels(stage)
    _verbs_on_recordings(stage)
    _verbs_on_files(verb, parser)
    return parser


def _verbs_of_runs(stage) -> None:
    """Adds the verbs from the joined circuit to the report."""
    from pipeline import body_commands, circuit_commands, commands, run_commands

    stage("circuit", circuit_commands.circuit)
    simulate = stage("simulate", run_commands.simulate)
    _simulate_arguments(simulate)
    behave = stage("behave", body_commands.behave, "behave rod")
    behave.add_argument("--name", help="one key under behaviours; default all")
    behave.add_argument("--ranks", type=_positive, help="MPI ranks of neurons; default as config")
    behave.add_argument("--mpi", help="MPI launch command; default as found")
    damage = stage(
        "damage", body_commands.damage, "damage worm damaged --name no_synapses --seed 1"
    )
    damage.add_argument("--name", help="one key under damage.changes; default all")
    damage.add_argument("--seed", type=int, help="one seed; default all of the config")
    damage.add_argument("--ranks", type=_positive, help="MPI ranks of neurons; default as config")
    damage.add_argument("--mpi", help="MPI launch command; default as found")
    damage.add_argument("--dry-run", action="store_true", help="print what is left and its cost")
    stage("premotor", body_commands.premotor, "premotor premotor")
    train = stage("train", body_commands.train, "train worm alive --name weights")
    train.add_argument("--name", help="one key under training; default all")
    train.add_argument("--workers", type=_positive, default=1, help="processes, one per seed")
    train.add_argument(
        "--save", action="store_true", help="copy the result into the model's tables"
    )
    tune = stage("tune", run_commands.tune, "tune v1 small --save")
    tune.add_argument("--name", help="one key under tuning; default all")
    tune.add_argument("--save", action="store_true", help="copy the gains into the model's table")
    stage("analyse", run_commands.analyse)
    stage("report", run_commands.report)
    crate = stage("crate", run_commands.crate, "crate worm tiny --zip")
    crate.add_argument(
        "--zip", action="store_true", help="pack all into one file beside the folder"
    )
    run = stage("run", commands.run_workflow, "run worm tiny")
    run.add_argument("--cores", type=_positive, default=os.cpu_count() or 1)
    run.add_argument("--profile", default="local", help="local, slurm, or a folder of your own")
    run.add_argument("--snakemake", default="", help="more options for Snakemake, in one word")
    run.add_argument("-n", "--dry-run", action="store_true", help="show what would be done")


def _simulate_arguments(simulate: argparse.ArgumentParser) -> None:
    simulate.set_defaults(out=None)  # circuits, or what a config made elsewhere says
    simulate.add_argument(
        "--engine", help="of a SONATA config made elsewhere (MODEL ends in .json)"
    )
    simulate.add_argument(
        "--mechanisms", type=Path, action="append", default=[], metavar="FOLDER",
        help="more .mod files for such a config",
    )  # fmt: skip
    simulate.add_argument("--name", help="one key under simulation; default all")
    simulate.add_argument("--ranks", type=_positive, help="MPI ranks; default from the config")
    simulate.add_argument("--mpi", help="MPI launch command; default as found")
    simulate.add_argument("--save-every", type=float, help="ms of the model between two saves")
    simulate.add_argument("--walltime", type=float, help="min; then save, stop with code 75")
    simulate.add_argument("--dry-run", action="store_true", help="print size and cost only")


def _verbs_on_emodels(stage) -> None:
    """Adds the verbs about electrical models."""
    from pipeline import emodel_commands

    extract = stage("extract", emodel_commands.extract, "extract mymodel --name L5TPC --save")
    extract.add_argument("--name", help="one key under extract; default all")
    extract.add_argument("--save", action="store_true", help="write the model's own table, too")
    optimise = stage("optimise", emodel_commands.optimise, "optimise column --name cNAC --seed 1")
    optimise.add_argument("--name", help="one key under fits; default all")
    optimise.add_argument("--seed", type=int, help="one search only, without the e-model")
    optimise.add_argument("--generations", type=int, help="stop earlier than the config says")
    optimise.add_argument("--merge", action="store_true", help="only take the best of the searches")
    optimise.add_argument("--save", action="store_true", help="write the model's own files, too")
    optimise.add_argument("--workers", type=int, default=2, help="processes")
    generalise = stage("generalise", emodel_commands.generalise, "generalise column tiny")
    share = generalise.add_mutually_exclusive_group()
    share.add_argument("--part", type=_part, metavar="I/N", help="only evaluate one part")
    share.add_argument(
        "--at-most",
        type=_count,
        metavar="N",
        help="evaluate N pairs, list the rest as left; default: generalise.at_most",
    )
    generalise.add_argument("--workers", type=_positive, default=2, help="processes")
    generalise.add_argument("--cache", type=Path, help="folder of kept evaluations")
    generalise.add_argument("--save", action="store_true", help="write generalise.known, too")


def _verbs_on_recordings(stage) -> None:
    """Adds the verbs that record from connections, and that change a built circuit."""
    from pipeline import emodel_commands

    psp = stage("psp", emodel_commands.psp, "psp column tiny --name L5_TTPC-L5_TTPC")
    psp.add_argument("--name", action="append", help="one pathway; may be repeated; default all")
    psp.add_argument("--calibrate", action="store_true", help="search conductances by pathway")
    psp.add_argument("--save", metavar="CSV", help="write the gains into the model, too")
    psp.add_argument("--workers", type=_positive, default=2, help="processes")
    psp.add_argument("--cache", type=Path, help="folder of kept recordings")
    stage("perturb", emodel_commands.perturb, "perturb column no_lbc")


def _verbs_on_files(verb, parser: argparse.ArgumentParser) -> None:
    """Adds the verbs that take circuits or files in place of a model, and completion of all."""
    from pipeline import circuit_commands, commands, run_commands

    check = verb("check", circuit_commands.check, "check circuits/worm/default/circuit_config.json")
    check.add_argument("circuit", type=Path, help="circuit or simulation config (JSON)")
    why = verb("why", circuit_commands.why, "why circuits/column/tiny 17")
    why.add_argument("circuit", type=Path, help="circuit folder or its config (JSON)")
    why.add_argument("edge", nargs="?", type=int, help="edge id, from 0")
    why.add_argument("--pair", nargs=2, type=int, metavar=("PRE", "POST"), help="all of a pair")
    why.add_argument("--name", help="key under edges, where several are of kind touches")
    why.add_argument("--model", help="the model's YAML file, if not found by the folder's name")
    diff = verb("diff", circuit_commands.diff, "diff circuits/v1/tiny circuits/v1/small")
    diff.add_argument("first", metavar="A", type=Path, help="circuit folder or config (JSON)")
    diff.add_argument("second", metavar="B", type=Path, help="the other one")
    diff.add_argument("--most", type=_positive, default=5, help="differing edges to show")
    diff.add_argument("--json", action="store_true", help="print JSON instead of text")
    compare = verb(
        "compare",
        run_commands.compare,
        "compare circuits/v1/small circuits/v1/no_recurrent --out c.html",
    )
    compare.add_argument(
        "folders", metavar="CIRCUIT", type=Path, nargs="+", help="analysed circuits"
    )
    compare.add_argument("--out", type=Path, required=True, help="page to write; a CSV goes beside")
    compare.add_argument(
        "--seeds", action="store_true", help="one model with several seeds: mean, sd"
    )
    compare.add_argument("--expected", type=Path, help="CSV of expected directions of change")
    verdicts = verb("verdicts", run_commands.verdicts, "verdicts circuits")
    verdicts.add_argument(
        "folders",
        metavar="CIRCUIT",
        type=Path,
        nargs="+",
        help="analysed circuits, or folders of them",
    )
    verdicts.add_argument("--csv", type=Path, help="also write all rows here")
    verdicts.add_argument("--page", type=Path, help="also write the tables here, as Markdown")
    completion = verb("completion", commands.completion, "completion bash")
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    completion.set_defaults(parser=parser)
    tables = verb(
        "import", circuit_commands.import_source, "import c302 c302-0.12.1.whl models/worm"
    )
    tables.add_argument("source", choices=["c302", "cect", "glif", "tmd"])
    tables.add_argument("wheel", type=Path, help="the package's wheel file, or the folder of files")
    tables.add_argument("folder", type=Path, help="the model folder to write into")


def _count(text: str, least: int = 0) -> int:
    number = int(text) if text.strip().isdecimal() else -1
    if number < least:
        message = f"expected a whole number of {least} or more, found {text!r}"
        raise argparse.ArgumentTypeError(message)
    return number


def _positive(text: str) -> int:
    return _count(text, 1)


def _part(text: str) -> tuple[int, int]:
    words = text.split("/")
    numbers = [int(word) for word in words if word.isdecimal()]
    if len(words) != 2 or len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1]:
        raise argparse.ArgumentTypeError(f"expected I/N such as 2/8, found {text!r}")
    return numbers[0], numbers[1]


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a name under models/, or a YAML file")
    parser.add_argument("variant", nargs="?", help="a variant's name; default as the model says")
    _out_argument(parser)


def _out_argument(parser: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("SONATINA_CIRCUITS", "circuits"))
    parser.add_argument("--out", type=Path, default=default, help="folder of circuits")
