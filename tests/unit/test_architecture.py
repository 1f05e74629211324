"""The shape of the code: layers, sizes, nothing at import, no code from config."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
SIMULATORS = ("neuron", "bmtk", "nest", "netpyne", "bluepyopt", "mpi4py", "matplotlib", "snakemake")


def test_imports_go_downward():
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_is_small_documented_and_tame(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module says what it is for"
    assert len(text.splitlines()) <= 420
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            assert node.end_lineno - node.lineno <= 80, f"{node.name} is too long"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec"), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            assert not [n for n in names if n.split(".")[0] in SIMULATORS], f"line {node.lineno}"


def loaded_by(statement: str) -> list[str]:
    """Which packages a statement about ``main`` loads, of those that take time."""
    heavy = (
        "numpy",
        "pandas",
        "scipy",
        "numba",
        "neuron",
        "h5py",
        "pydantic",
    )
    code = (
        "import sys, os; from pipeline.cli import main, build_parser\n"
        f"said, sys.stdout = sys.stdout, open(os.devnull, 'w')\n{statement}\n"
        f"print([m for m in {heavy} if m in sys.modules], file=said)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ast.literal_eval(done.stdout)


@pytest.mark.parametrize("statement", ["build_parser()", "main(['list'])"])
def test_what_only_answers_loads_no_science(statement):
    assert loaded_by(statement) == []


@pytest.mark.parametrize("model", [["worm"], ["v1", "tiny"], ["column", "tiny"]], ids="/".join)
def test_validate_loads_the_schema_and_numpy_only(model):
    """Pandas alone took as long as all checks of a model; the rest only builds and simulates."""
    assert loaded_by(f"main(['validate', *{model}])") == ["numpy", "pydantic"]
