# Numbers, verdicts and the page.
rule analysis:
    input:
        YAML,
        stage_files(RESOLVED, "analyse"),
        PATHS.circuit_config,
        [PATHS.spikes(name) for name in MODEL.simulation],
        [PATHS.report(name, key) for name, run in MODEL.simulation.items() for key in run.record],
        [PATHS.analysis(f"clamp_{name}") for name in MODEL.cells.protocols],
    output:
        PATHS.analysis("verdicts"),
        PATHS.analysis("metrics"),
    params:
        part=part("analyse"),
    log:
        PATHS.log("analyse"),
    benchmark:
        PATHS.benchmark("analyse")
    message:
        "analyse"
    shell:
        "{SONATINA} analyse {WHICH} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule page:
    input:
        RESOLVED.files,
        PATHS.analysis("verdicts"),
    output:
        PATHS.report_page,
        PATHS.provenance,
    params:
        part=part("report"),
    log:
        PATHS.log("report"),
    benchmark:
        PATHS.benchmark("report")
    message:
        "write the report"
    shell:
        "{SONATINA} report {WHICH} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
