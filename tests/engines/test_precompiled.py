"""Precompiled headers: used where they fit, the same objects, and nothing where they do not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.precompiled import _CORENEURON, _NEURON, _command, _neuron_folder, headers

pytest.importorskip("neuron")
GCC = "g++"
CODE = """{first}
extern "C" double probe(double x) {{ return exp(x) + {more}; }}
"""


def compiled(part, folder, option: str, name: str) -> tuple[bytes, str]:
    """Object of a file that begins as translated mechanisms do, and the headers that GCC read."""
    includes = "\n".join(f"#include <{header}>" for header in part.headers)
    source = folder / "probe.cpp"
    source.write_text(CODE.format(first=includes, more="sizeof(size_t)"))
    command = [*_command(folder, _neuron_folder(), part, GCC, ""), *option.split(), "-H", "-c"]
    out = folder / f"{name}.o"
    done = subprocess.run(
        [*command, str(source), "-o", str(out)], capture_output=True, text=True, check=True
    )
    return out.read_bytes(), done.stderr


def test_objects_are_the_same_and_the_headers_are_read_once(tmp_path):
    if _neuron_folder() is None:
        pytest.skip("NEURON is not installed from its Linux wheel")
    with headers(tmp_path / "h", GCC, 20, True, "") as option:
        assert option.startswith("-include ")
        for part in (_NEURON, _CORENEURON):
            plain, read = compiled(part, tmp_path, "", "plain")
            quick, used = compiled(part, tmp_path, option, "quick")
            assert plain == quick
            assert "first.hpp.gch" in used and used.count("\n") < read.count("\n") / 5
        # Other options do not fit: GCC reads the plain headers, and the object is still right.
        other, _ = compiled(_NEURON, tmp_path, "-DEXTRA_MACRO", "other")
        same, _ = compiled(_NEURON, tmp_path, f"-DEXTRA_MACRO {option}", "same")
        assert other == same


@pytest.mark.parametrize("compiler", ["no-such-compiler", sys.executable])
def test_another_compiler_gets_none(compiler, tmp_path):
    with headers(tmp_path / "h", compiler, 20, True, "") as option:
        assert option == ""


def test_a_path_with_blanks_and_options_that_do_not_compile_get_none(tmp_path):
    with headers(tmp_path / "h", GCC, 20, False, "-no-such-option") as option:
        assert option == ""
    with headers(tmp_path / "a b", GCC, 20, False, "") as option:
        assert option == ""
    assert list(tmp_path.iterdir()) == []  # what was made is gone


def test_a_few_mechanisms_are_not_worth_it(tmp_path):
    with headers(tmp_path / "h", GCC, 1, False, "") as option:
        assert option == ""
