"""Synapses where axons come near dendrites and somata: detection of touches, and what is kept."""
