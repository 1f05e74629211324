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
    assert len(text.splitlines()) <= 450
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


def test_help_is_quick_because_it_loads_no_science():
    code = (
        "import sys; from pipeline.cli import build_parser; build_parser(); "
        "print([m for m in ('numpy', 'pandas', 'neuron', 'h5py', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() in ("[]", "['numpy']"), done.stdout + done.stderr
