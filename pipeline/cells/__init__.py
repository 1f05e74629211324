"""Plain descriptions of cells and the builder that turns them into NEURON sections."""
