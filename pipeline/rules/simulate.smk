# One rule per run. The command starts its own ranks by {resources.mpi}.
for _name, _run in MODEL.simulation.items():

    rule:
        name:
            f"simulate_{_name}"
        input:
            YAML,
            stage_files(RESOLVED, "simulate", _name),
            PATHS.circuit_config,
            COMPONENTS + POINT_CELLS,
            compiled(_run),
            shown(_run),
        output:
            PATHS.simulation_config(_name),
            PATHS.spikes(_name),
            [PATHS.report(_name, key) for key in _run.record],
            [PATHS.lfp(_name)] if _run.lfp else [],
            PATHS.simulation(_name) / "figures.json",
        log:
            PATHS.log(f"simulate_{_name}"),
        benchmark:
            PATHS.benchmark(f"simulate_{_name}")
        conda:
            ENVIRONMENT
        threads: workers(_run)
        resources:
            tasks=_run.ranks,
            mpi="",
            cpus_per_task=1 if _run.ranks > 1 else workers(_run),
        params:
            part=part("simulate", _name),
            key=_name,
        message:
            "simulate"
        shell:
            '"$SONATINA_PYTHON" -m pipeline simulate "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {params.key} --ranks {resources.tasks}"
            " --mpi '{resources.mpi}' > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


# Connections recorded from, one by one; finished ones are kept in the cache.
if MODEL.psp:

    rule psp:
        input:
            YAML,
            stage_files(RESOLVED, "psp"),
            PATHS.circuit_config,
            COMPONENTS,
            PATHS.mechanisms,
        output:
            [PATHS.psp(name) for name in ("pathways", "pairs", "traces")],
        log:
            PATHS.log("psp"),
        benchmark:
            PATHS.benchmark("psp")
        conda:
            ENVIRONMENT
        threads: 2
        params:
            part=part("psp"),
        message:
            "record from pairs of cells"
        shell:
            '"$SONATINA_PYTHON" -m pipeline psp "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --workers {threads} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
