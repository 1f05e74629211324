"""What the command says of a worker that could not speak for itself."""

import pytest

from pipeline import mpi
from pipeline.errors import SimulationError

BANNER = """numprocs=2
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 72 RUNNING AT vm
=   EXIT CODE: 9
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)
"""


def said(folder, code, output):
    with pytest.raises(SimulationError) as raised:
        mpi._outcome(folder, code, output)
    return str(raised.value)


def make(folder, **texts):
    for name, text in texts.items():
        (folder / f"crash-{name[1:].replace('_', '-')}.txt").write_text(text)


def test_the_killed_rank_is_found_by_its_process(tmp_path):
    make(tmp_path, r0_71="", r1_72="")
    assert said(tmp_path, 9, BANNER).startswith("rank 1: was killed from outside (SIGKILL)")


def test_a_crash_tells_what_it_was_doing(tmp_path):
    trace = (
        'Fatal Python error\n\n  File "/a/b/run.py", line 7 in advance\n  File "x.py", line 1 in f'
    )
    make(tmp_path, r0_71="", r3_74=trace)
    text = said(tmp_path, -11, "")
    assert text.startswith(
        "rank 3: crashed (SIGSEGV) in advance (run.py:7), called by f (x.py:1) ("
    )
    output = "some words\npython: /a/b.cpp:426: void f(): Assertion `n == 1' failed.\nmore\n"
    assert (
        "called by f (x.py:1): python: /a/b.cpp:426: void f(): Assertion `n == 1' failed. ("
        in said(tmp_path, -6, output)
    )


def test_a_code_without_a_signal_brings_what_was_printed(tmp_path):
    make(tmp_path, r0_71="", r1_72="")
    text = said(tmp_path, 3, "numprocs=2\nlibfabric: no provider\n")
    assert (
        text == "a rank: ended with exit code 3 and no message of its own:\nlibfabric: no provider"
    )
    assert "it said nothing" in said(tmp_path, 3, "")


def test_a_slurm_job_uses_srun_and_a_folder_that_all_nodes_see(tmp_path, monkeypatch):
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("SONATINA_MPI", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert mpi._place(tmp_path, 4) == tmp_path
    assert mpi._place(tmp_path, 1) is None
    assert mpi.find_mpi().launcher == [str(tmp_path / "srun"), "--mpi=pmi2"]
    monkeypatch.delenv("SLURM_JOB_ID")
    assert mpi._place(tmp_path, 4) is None
    assert mpi.find_mpi().launcher[0].endswith("mpiexec")


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("1-02:03:30", 1563.5), ("59:30", 59.5), ("2:00:00", 120), ("UNLIMITED", None), ("", None)],
)
def test_the_time_that_slurm_leaves_is_read(tmp_path, monkeypatch, said, minutes):
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho ' {said}'\n")
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert mpi.minutes_left() == minutes
    monkeypatch.delenv("SLURM_JOB_ID")
    assert mpi.minutes_left() is None


def test_srun_names_the_rank_that_died_first(tmp_path):
    """The others end by srun's own signal, which is not the cause."""
    output = (
        "srun: error: vm: task 1: Killed\n"
        "slurmstepd-vm: error: *** STEP 1.0 ON vm CANCELLED AT 2026-11-30T09:45:23 ***\n"
        "srun: error: vm: task 0: Terminated\n"
    )
    assert mpi._death(tmp_path, 143, output).message == "was killed from outside (SIGKILL)"
    assert mpi._death(tmp_path, 143, output).where == "rank 1"
    output = "srun: error: n1: tasks 2-3: Segmentation fault (core dumped)\n"
    assert str(mpi._death(tmp_path, 139, output)).startswith("rank 2: crashed (SIGSEGV)")
    said = str(mpi._death(tmp_path, 3, "srun: error: n1: task 4: Exited with exit code 3\n"))
    assert said.startswith("rank 4: ended with exit code 3")
