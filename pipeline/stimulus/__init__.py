"""Stage ``stimulus``: movies through the filters of thalamic units, to rates and spikes."""
