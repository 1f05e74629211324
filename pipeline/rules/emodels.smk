# Targets from recordings; asked for by name, as a circuit is built from tables that are there.
for _name in MODEL.extract:

    rule:
        name:
            f"extract_{_name}"
        input:
            YAML,
            stage_files(RESOLVED, "extract", _name),
        output:
            PATHS.targets(_name),
        log:
            PATHS.log(f"extract_{_name}"),
        benchmark:
            PATHS.benchmark(f"extract_{_name}")
        conda:
            ENVIRONMENT
        params:
            part=part("extract", _name),
            key=_name,
        message:
            "take features from recorded sweeps"
        shell:
            '"$SONATINA_PYTHON" -m pipeline extract "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {params.key} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
