# One rule per stimulus: what the thalamic units of a virtual population fire.
for _name, _stimulus in MODEL.stimuli.items():

    rule:
        name:
            f"stimulus_{_name}"
        input:
            YAML,
            stage_files(RESOLVED, "stimulus", _name),
            PATHS.nodes(_stimulus.nodes),
            PATHS.node_types(_stimulus.nodes),
            [PATHS.edges(name) for name in stimulus_edges(_name)],
        output:
            PATHS.stimulus_spikes(_name),
            PATHS.stimulus_trials(_name),
            PATHS.stimulus_rates(_name),
        log:
            PATHS.log(f"stimulus_{_name}"),
        benchmark:
            PATHS.benchmark(f"stimulus_{_name}")
        conda:
            ENVIRONMENT
        threads: 2
        params:
            part=part("stimulus", _name),
            key=_name,
        message:
            "show a movie to the thalamic units"
        shell:
            '"$SONATINA_PYTHON" -m pipeline stimulus "$SONATINA_MODEL" $SONATINA_VARIANT'
            " --name {params.key} --workers {threads}"
            " > {log:q} 2>&1 || {{ cat {log:q} >&2; exit 1; }}"
