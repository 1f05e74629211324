# Bodies in their environments, driven by a circuit or their own; damage; and the premotor fit.
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


# Changes of the circuit: one job per change and seed, side by side; a killed run goes on.
if MODEL.damage:

    rule damage:
        input:
            YAML,
            stage_files(RESOLVED, "damage"),
            driving(MODEL.behaviours[MODEL.damage.behaviour]),
        output:
            PATHS.damage("{change}", "{seed}"),
        log:
            PATHS.log("damage_{change}_{seed}"),
        benchmark:
            PATHS.benchmark("damage_{change}_{seed}")
        wildcard_constraints:
            change="|".join(MODEL.damage.changes),
            seed=r"\d+",
        conda:
            ENVIRONMENT
        threads: MODEL.behaviours[MODEL.damage.behaviour].drive.ranks
        resources:
            tasks=MODEL.behaviours[MODEL.damage.behaviour].drive.ranks,
            mpi="",
        params:
            part=lambda wildcards: part("damage", wildcards.change),
        message:
            "damage the circuit"
        shell:
            '"$SONATINA_PYTHON" -m pipeline damage "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {wildcards.change} --seed {wildcards.seed} --ranks {resources.tasks}"
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
