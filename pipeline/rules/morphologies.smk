# Morphologies that a model grows, or takes from a library; only models with the key have the rule.
if MODEL.morphologies:

    rule morphologies:
        input:
            YAML,
            stage_files(RESOLVED, "morphologies"),
        output:
            PATHS.morphology_table,
            directory(PATHS.morphologies),
            PATHS.analysis("morphometrics"),
            PATHS.analysis("morphology_layers"),
            PATHS.analysis("morphology_findings"),
        log:
            PATHS.log("morphologies"),
        benchmark:
            PATHS.benchmark("morphologies")
        conda:
            ENVIRONMENT
        threads: 2
        params:
            part=part("morphologies"),
        message:
            "make the morphologies"
        shell:
            '"$SONATINA_PYTHON" -m pipeline morphologies "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --workers {threads} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
