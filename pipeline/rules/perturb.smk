# The circuit of this variant from the built circuit of another one.
BASE = CircuitPaths(Path(OUT) / MODEL.name / MODEL.perturb.of)


rule perturb:
    input:
        YAML,
        BASE.circuit_config,
        BASE.node_sets,
        [BASE.nodes(name) for name in MODEL.nodes],
        [BASE.edges(name) for name in POPULATIONS],
    output:
        [PATHS.nodes(name) for name in MODEL.nodes],
        [PATHS.node_types(name) for name in MODEL.nodes],
        [PATHS.edges(name) for name in POPULATIONS],
        [PATHS.edge_types(name) for name in POPULATIONS],
        PATHS.node_sets,
        PATHS.circuit_config,
        [directory(folder) for folder in COMPONENTS + POINT_CELLS],
    log:
        PATHS.log("perturb"),
    benchmark:
        PATHS.benchmark("perturb")
    conda:
        ENVIRONMENT
    params:
        part=part("perturb"),
    message:
        "change a built circuit"
    shell:
        '"$SONATINA_PYTHON" -m pipeline perturb "$SONATINA_MODEL" $SONATINA_VARIANT'
        " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
