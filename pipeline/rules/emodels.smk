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


# Searches of e-models: one job per e-model and seed, side by side on a cluster; asked for by name.
for _name, _fit in MODEL.fits.items():
    for _seed in _fit.search.seeds:

        rule:
            name:
                f"search_{_name}_seed_{_seed}"
            input:
                YAML,
                stage_files(RESOLVED, "optimise", _name),
                PATHS.mechanisms,
                [PATHS.morphology_table] if _fit.m_type else [],
            output:
                PATHS.fit_result(_name, _seed),
            log:
                PATHS.log(f"search_{_name}_seed_{_seed}"),
            benchmark:
                PATHS.benchmark(f"search_{_name}_seed_{_seed}")
            conda:
                ENVIRONMENT
            # One generation, as a report's page has, leaves a core to the circuit.
            threads: min(2, _fit.search.generations)
            params:
                part=part("optimise", _name),
                how=f"--name {_name} --seed {_seed}",
            message:
                "search the parameters of an e-model"
            shell:
                '"$SONATINA_PYTHON" -m pipeline optimise "$SONATINA_MODEL" $SONATINA_VARIANT'
                " {params.how} --workers {threads}"
                " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


for _name, _fit in MODEL.fits.items():

    rule:
        name:
            f"emodel_{_name}"
        input:
            YAML,
            PATHS.mechanisms,
            [PATHS.fit_result(_name, seed) for seed in _fit.search.seeds],
        output:
            PATHS.fit_emodel(_name),
            [
                PATHS.fit_table(_name, kind)
                for kind in ("features", "parameters", "history", "traces", "currents")
            ],
        log:
            PATHS.log(f"emodel_{_name}"),
        benchmark:
            PATHS.benchmark(f"emodel_{_name}")
        conda:
            ENVIRONMENT
        params:
            part=part("optimise", _name),
            key=_name,
        message:
            "take the best search as e-model"
        shell:
            '"$SONATINA_PYTHON" -m pipeline optimise "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {params.key} --merge > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


# Morphologies judged with e-models: each part fills the cache, the last job judges all that is there.
for _part in range(1, PARTS + 1) if PARTS > 1 else ():

    rule:
        name:
            f"generalise_part_{_part}"
        input:
            YAML,
            stage_files(RESOLVED, "generalise"),
            PATHS.mechanisms,
            PATHS.morphology_table,
        output:
            temp(PATHS.generalise_part(_part - 1, PARTS)),
        log:
            PATHS.log(f"generalise_part_{_part}"),
        benchmark:
            PATHS.benchmark(f"generalise_part_{_part}")
        conda:
            ENVIRONMENT
        params:
            part=part("generalise"),
            how=f"--part {_part}/{PARTS}",
        message:
            "judge one part of the morphologies"
        shell:
            '"$SONATINA_PYTHON" -m pipeline generalise "$SONATINA_MODEL" $SONATINA_VARIANT'
            " {params.how} --workers {threads} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


if MODEL.generalise:

    rule generalise:
        input:
            YAML,
            stage_files(RESOLVED, "generalise"),
            PATHS.mechanisms,
            PATHS.morphology_table,
            [PATHS.generalise_part(index, PARTS) for index in range(PARTS) if PARTS > 1],
        output:
            [PATHS.generalise(name) for name in ("pairs", "scores", "coverage")],
            PATHS.generalise("generalise").with_suffix(".sqlite"),
        log:
            PATHS.log("generalise"),
        benchmark:
            PATHS.benchmark("generalise")
        conda:
            ENVIRONMENT
        threads: 2
        params:
            part=part("generalise"),
        message:
            "judge every morphology with every e-model"
        shell:
            '"$SONATINA_PYTHON" -m pipeline generalise "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --workers {threads} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
