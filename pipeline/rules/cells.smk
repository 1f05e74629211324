# Channels and single cells.
rule compile:
    input:
        YAML,
        mods=stage_files(RESOLVED, "compile"),
    output:
        PATHS.mechanisms,
    params:
        part=part("compile"),
    log:
        PATHS.log("compile"),
    benchmark:
        PATHS.benchmark("compile")
    message:
        "compile the mechanisms"
    shell:
        "{SONATINA} compile {WHICH} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule cells:
    input:
        YAML,
        stage_files(RESOLVED, "cells"),
        mechanisms=PATHS.mechanisms,
    output:
        [PATHS.analysis(f"clamp_{name}") for name in MODEL.cells.protocols],
        [PATHS.analysis(f"clamp_{name}_traces") for name in MODEL.cells.protocols],
    params:
        part=part("cells"),
    threads: 2
    log:
        PATHS.log("cells"),
    benchmark:
        PATHS.benchmark("cells")
    message:
        "clamp single cells"
    shell:
        "{SONATINA} cells {WHICH} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
