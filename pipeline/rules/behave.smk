# Bodies in their environments, driven by a circuit or their own; and the premotor fit.
for _name, _behaviour in MODEL.behaviours.items():

    rule:
        name:
            f"behave_{_name}"
        input:
            YAML,
            stage_files(RESOLVED, "behave", _name),
            driving(_behaviour),
        output:
            PATHS.behaviour(_name),
        log:
            PATHS.log(f"behave_{_name}"),
        benchmark:
            PATHS.benchmark(f"behave_{_name}")
        conda:
            ENVIRONMENT
        threads: getattr(_behaviour.drive, "ranks", 1)
        resources:
            tasks=getattr(_behaviour.drive, "ranks", 1),
            mpi="",
        params:
            part=part("behave", _name),
            key=_name,
        message:
            "behave"
        shell:
            '"$SONATINA_PYTHON" -m pipeline behave "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {params.key} --ranks {resources.tasks}"
            " --mpi '{resources.mpi}' > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


if MODEL.premotor:

    rule premotor:
        input:
            YAML,
            stage_files(RESOLVED, "premotor"),
        output:
            PATHS.analysis("premotor"),
        log:
            PATHS.log("premotor"),
        benchmark:
            PATHS.benchmark("premotor")
        conda:
            ENVIRONMENT
        params:
            part=part("premotor"),
        message:
            "fit the premotor neurons"
        shell:
            '"$SONATINA_PYTHON" -m pipeline premotor "$SONATINA_MODEL" $SONATINA_VARIANT'
            " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
