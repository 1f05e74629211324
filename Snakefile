# Sonatina: from ion channels to a report. Usage: sonatina run MODEL [VARIANT], or
#   snakemake report --config model=worm variant=tiny --workflow-profile pipeline/profiles/local
from snakemake.utils import min_version

min_version("9.0")


include: "pipeline/rules/common.smk"
include: "pipeline/rules/cells.smk"
include: "pipeline/rules/emodels.smk"


# A changed circuit comes from the built one of another variant.
if MODEL.perturb:

    include: "pipeline/rules/perturb.smk"

else:

    include: "pipeline/rules/morphologies.smk"
    include: "pipeline/rules/circuit.smk"


include: "pipeline/rules/stimuli.smk"
include: "pipeline/rules/simulate.smk"
include: "pipeline/rules/behave.smk"
include: "pipeline/rules/report.smk"


rule report:
    default_target: True
    input:
        PATHS.report_page,
        [PATHS.stimulus_spikes(name) for name in MODEL.stimuli],


rule mechanisms:
    input:
        PATHS.mechanisms,


rule circuit:
    input:
        CIRCUIT,


rule targets:
    input:
        [PATHS.targets(name) for name in MODEL.extract],


rule emodels:
    input:
        [PATHS.fit_emodel(name) for name in MODEL.fits],


rule stimuli:
    input:
        [PATHS.stimulus_spikes(name) for name in MODEL.stimuli],


rule simulate:
    input:
        [PATHS.spikes(name) for name in MODEL.simulation],


rule analyse:
    input:
        PATHS.analysis("verdicts"),


localrules:
    report,
    mechanisms,
    circuit,
    targets,
    stimuli,
    simulate,
    analyse,
