"""One table of all benches: ours, peer, ratio, memory. ``python bench/table.py [NAME ...] [--write FILE]``

Every bench runs with short arguments, in a process of its own and one after the other; what is not
installed or fails is named in a row. ``--write`` puts the table into a Markdown file (docs/bench.md).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from rows import FILE

HERE = Path(__file__).resolve().parent
SHORT: dict[str, list[str]] = {
    "compile": [],
    "worm": ["1"],
    "body": ["4"],
    "rules": ["--quick", "--only", "ours", "bmtk", "netpyne", "dump", "--sizes", "2000"],
    "touch": ["--sizes", "500", "2000"],
    "simulate": ["--ms", "50"],
    "optimise": [],
    "pointnet": ["--ms", "200"],
    "worm_loop": ["1", "1"],
}
LIMIT = 1800.0
"""s per bench."""


def run(name: str, folder: Path) -> tuple[list[dict], str]:
    """Runs one bench and returns its rows, and what went wrong."""
    file = folder / f"{name}.jsonl"
    command = [sys.executable, str(HERE / f"{name}.py"), *SHORT[name]]
    environment = os.environ | {FILE: str(file), "PYTHONPATH": str(HERE.parent)}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT, env=environment, cwd=HERE.parent
        )
    except subprocess.TimeoutExpired:
        wrong = f"longer than {LIMIT:g} s"
    else:
        wrong = (done.stderr.strip().splitlines() or ["failed"])[-1] if done.returncode else ""
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return rows, wrong or ("" if rows else "no figures (something is not installed)")


def line(name: str, row: dict) -> str:
    """One row in Markdown."""
    peer = f"{row['peer']:.4g} ({row['peer_name']})" if row["peer"] else row["peer_name"]
    ratio = f"{row['ratio']:.2f}" if row["ratio"] else ""
    memory = f"{row['memory']:,.0f}" if row["memory"] else ""
    cells = [row["what"], f"{row['ours']:.4g} {row['unit']}", peer, ratio, memory]
    command = " ".join(["bench/" + name + ".py", *SHORT[name]])
    return "| " + " | ".join([*cells, f"`{command}`", f"{row['load']:.1f}"]) + " |"


def main() -> None:
    """Runs the benches, prints the table, exits with 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SHORT)}; default: all")
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    options = parser.parse_args()
    if unknown := set(options.names) - SHORT.keys():
        parser.error(f"no such bench: {', '.join(sorted(unknown))} (known: {', '.join(SHORT)})")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        f"Measured on {os.cpu_count()} cores and {memory:.0f} GiB, Python {platform.python_version()},"
        " short sizes; load is what the machine did on average. A ratio above 1: so many times better is ours.",
        "",
        "| what | ours | peer | ratio | memory, MiB | command | load |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names or SHORT:
            rows, wrong = run(name, Path(folder))
            told = [line(name, row) for row in rows]
            if wrong:
                failed = True
                told.append(f"| {name}: {wrong} | | | | | | |")
            print("\n".join(told), flush=True)
            lines += told
    if options.write:
        options.write.write_text("# Benches\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(failed)


if __name__ == "__main__":
    main()
