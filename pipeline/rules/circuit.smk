# Nodes, edges, and the circuit that joins them.
rule nodes:
    input:
        YAML,
        stage_files(RESOLVED, "nodes"),
        [PATHS.morphology_table] if DRAWN else [],
        [PATHS.generalise("pairs") for _ in JUDGED],
    output:
        [PATHS.nodes(name) for name in MODEL.nodes],
        [PATHS.node_types(name) for name in MODEL.nodes],
        PATHS.node_sets,
        [PATHS.analysis(f"{kind}_{name}") for name in DRAWN for kind in PLACED_TABLES],
        [PATHS.analysis(f"emodels_{name}") for name in JUDGED],
        [
            directory(folder)
            for folder in COMPONENTS + POINT_CELLS
            if folder not in GROWN
        ],
    log:
        PATHS.log("nodes"),
    benchmark:
        PATHS.benchmark("nodes")
    conda:
        ENVIRONMENT
    params:
        part=part("nodes"),
    message:
        "write the nodes"
    shell:
        '"$SONATINA_PYTHON" -m pipeline nodes "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


# Parts of one population, for a cluster that builds them side by side; a laptop needs none.
for _name in MODEL.edges:
    for _index, _file in enumerate(part_files(_name), start=1):

        rule:
            name:
                f"edges_{_name}_part_{_index}"
            input:
                YAML,
                stage_files(RESOLVED, "edges", _name),
                [PATHS.nodes(name) for name in MODEL.nodes],
            output:
                temp(_file),
            log:
                PATHS.log(f"edges_{_name}_part_{_index}"),
            benchmark:
                PATHS.benchmark(f"edges_{_name}_part_{_index}")
            conda:
                ENVIRONMENT
            params:
                part=part("edges", _name),
                how=f"--name {_name} --part {_index}/{scattered(_name)}",
            message:
                "write one part of the edges"
            shell:
                '"$SONATINA_PYTHON" -m pipeline edges "$SONATINA_MODEL" $SONATINA_VARIANT'
                " {params.how} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


for _name in MODEL.edges:

    rule:
        name:
            f"edges_{_name}"
        input:
            YAML,
            stage_files(RESOLVED, "edges", _name),
            [PATHS.nodes(name) for name in MODEL.nodes],
            COMPONENTS[:1],
            catalogue(_name),
            edges_before(_name),
            part_files(_name),
        output:
            [PATHS.edges(name) for name in edge_populations(RESOLVED, _name)],
            [PATHS.edge_types(name) for name in edge_populations(RESOLVED, _name)],
            [PATHS.analysis(name) for name in plan_tables(RESOLVED, _name)],
        log:
            PATHS.log(f"edges_{_name}"),
        benchmark:
            PATHS.benchmark(f"edges_{_name}")
        conda:
            ENVIRONMENT
        params:
            part=part("edges", _name),
            how=f"--name {_name}{merge_flag(_name)}",
        message:
            "write the edges"
        shell:
            '"$SONATINA_PYTHON" -m pipeline edges "$SONATINA_MODEL" $SONATINA_VARIANT'
            " {params.how} > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"


rule join:
    input:
        YAML,
        [PATHS.nodes(name) for name in MODEL.nodes],
        [PATHS.edges(name) for name in POPULATIONS],
        PATHS.node_sets,
        POINT_CELLS,
    output:
        PATHS.circuit_config,
    log:
        PATHS.log("circuit"),
    benchmark:
        PATHS.benchmark("circuit")
    conda:
        ENVIRONMENT
    params:
        part=part("circuit"),
    message:
        "join and check the circuit"
    shell:
        '"$SONATINA_PYTHON" -m pipeline circuit "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
