# Numbers, verdicts and the page.
rule analysis:
    input:
        YAML,
        stage_files(RESOLVED, "analyse"),
        CIRCUIT,
        [PATHS.behaviour(name) for name in MODEL.behaviours],
        [PATHS.analysis("premotor")] if MODEL.premotor else [],
        DAMAGED,
        [PATHS.psp("pathways")] if MODEL.psp else [],
        [PATHS.spikes(name) for name in MODEL.simulation],
        [
            PATHS.report(name, key)
            for name, run in MODEL.simulation.items()
            for key in run.record
        ],
        [PATHS.lfp(name) for name, run in MODEL.simulation.items() if run.lfp],
        [PATHS.analysis(f"clamp_{name}") for name in PROTOCOLS],
    output:
        PATHS.analysis("verdicts"),
        PATHS.analysis("metrics"),
    log:
        PATHS.log("analyse"),
    benchmark:
        PATHS.benchmark("analyse")
    conda:
        ENVIRONMENT
    params:
        part=part("analyse"),
    message:
        "analyse"
    shell:
        '"$SONATINA_PYTHON" -m pipeline analyse "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule page:
    input:
        RESOLVED.files,
        PATHS.analysis("verdicts"),
        [PATHS.fit_table(name, "features") for name in MODEL.report.fits],
    output:
        PATHS.report_page,
        PATHS.provenance,
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    conda:
        ENVIRONMENT
    params:
        part=part("report"),
    message:
        "write the report"
    shell:
        '"$SONATINA_PYTHON" -m pipeline report "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
