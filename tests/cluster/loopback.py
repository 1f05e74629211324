"""A SLURM of this machine alone: munge, slurmctld and slurmd from Debian's packages, on loopback.

Needs root and ``apt-get install --no-install-recommends slurm-wlm munge``. Everything lies in one folder
and is stopped by process id. One thing must lie elsewhere: Snakemake's jobs forget SLURM_CONF, so
/etc/slurm/slurm.conf is a link to ours while it runs; a machine that has its own SLURM is refused.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "squeue")
CONFIG = """ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/d
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=pmi2
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} Sockets=1 CoresPerSocket={cpus} ThreadsPerCore=1 \\
    RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """What this machine lacks to run it."""
    lacks = [name for name in PROGRAMS if shutil.which(name) is None]
    lacks += [] if os.geteuid() == 0 else ["root"]
    return [*lacks, f"a free place at {SYSTEM_CONFIG}"] if SYSTEM_CONFIG.exists() else lacks


@contextlib.contextmanager
def slurm(folder: Path, *, cpus: int = 2, memory: int = 6000) -> Iterator[dict[str, str]]:
    """Starts SLURM; yields the environment in which its commands find it; stops it.

    Args:
        folder: Its files; made when missing.
        cpus: Of the only node.
        memory: Of the only node, MiB.
    """
    SYSTEM_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ctld").mkdir(exist_ok=True)
    (folder / "d").mkdir(exist_ok=True)
    config = folder / "slurm.conf"
    config.write_text(
        CONFIG.format(
            host=socket.gethostname().split(".")[0], port=_free_port(), node_port=_free_port(),
            folder=folder, cpus=cpus, memory=memory,
        )
    )  # fmt: skip
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    environment = dict(os.environ, SLURM_CONF=str(config))
    started: list[subprocess.Popen] = []
    SYSTEM_CONFIG.unlink(missing_ok=True)  # a link that a killed run left
    SYSTEM_CONFIG.symlink_to(config)
    try:
        munged = ["munged", "--foreground", "--force", f"--key-file={key}"]
        munged += [f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid"]
        munged += [f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munged.log"]
        for command in (
            munged,
            ["slurmctld", "-D", "-f", str(config)],
            ["slurmd", "-D", "-f", str(config)],
        ):
            with open(folder / f"{command[0]}.out", "w") as output:
                started.append(
                    subprocess.Popen(
                        command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
                    )
                )  # fmt: skip
            time.sleep(1)
        _wait_for_node(environment, started)
        yield environment
    finally:
        SYSTEM_CONFIG.unlink(missing_ok=True)
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait_for_node(environment: dict[str, str], started: list[subprocess.Popen]) -> None:
    for _ in range(60):
        state = subprocess.run(
            ["sinfo", "-h", "-o", "%t"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if state.stdout.strip() == "idle":
            return
        if ended := [str(p.args[0]) for p in started if p.poll() is not None]:
            raise RuntimeError(f"{', '.join(ended)} ended; see the logs beside slurm.conf")
        time.sleep(0.5)
    raise RuntimeError(f"the node did not come up: {state.stdout}{state.stderr}")
