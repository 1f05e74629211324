# Channels and single cells.
rule compile:
    input:
        YAML,
        mods=stage_files(RESOLVED, "compile"),
    output:
        PATHS.mechanisms,
    log:
        PATHS.log("compile"),
    benchmark:
        PATHS.benchmark("compile")
    conda:
        ENVIRONMENT
    params:
        part=part("compile"),
    message:
        "compile the mechanisms"
    shell:
        '"$SONATINA_PYTHON" -m pipeline compile "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule cells:
    input:
        YAML,
        stage_files(RESOLVED, "cells"),
        mechanisms=PATHS.mechanisms,
    output:
        [PATHS.analysis(f"clamp_{name}") for name in PROTOCOLS],
        [PATHS.analysis(f"clamp_{name}_traces") for name in PROTOCOLS],
    log:
        PATHS.log("cells"),
    benchmark:
        PATHS.benchmark("cells")
    conda:
        ENVIRONMENT
    threads: 2
    params:
        part=part("cells"),
    message:
        "clamp single cells"
    shell:
        '"$SONATINA_PYTHON" -m pipeline cells "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
