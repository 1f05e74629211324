"""One clamp protocol in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from pipeline.cells.clamp import run_clamp
from pipeline.cells.description import cell_from_json
from pipeline.cells.morphology import read_morphology
from pipeline.config.schema import Protocol
from pipeline.mechanisms import load_library
from pipeline.runtime import write_text
from pipeline.worker import serve


def clamp(job: dict) -> dict[str, float]:
    """Runs a protocol and writes its steady states and traces as CSV."""
    if job["library"]:
        load_library(job["library"])
    protocol = TypeAdapter(Protocol).validate_python(job["protocol"])
    shape = read_morphology(job["morphology"], job["cell"].get("axon", "keep"))
    cell = cell_from_json(job["cell"], shape)
    result = run_clamp(cell, protocol, job["v_init"], job["celsius"])
    table = pd.DataFrame({"level": protocol.levels, "steady": result.steady})
    for column, values in job["reference"].items():
        table[column] = values
    write_text(Path(job["steady_file"]), table.to_csv(index=False, float_format="%.6g"))
    stride = max(1, len(result.times) // 3000)
    names = [f"{level:g}" for level in protocol.levels]
    traces = pd.DataFrame(result.traces.T[::stride], columns=names)
    traces.insert(0, "time_ms", np.round(result.times[::stride], 9))
    write_text(Path(job["traces_file"]), traces.to_csv(index=False, float_format="%.5g"))
    return {"levels": float(len(names))}


if __name__ == "__main__":
    serve(sys.argv[1], clamp)
