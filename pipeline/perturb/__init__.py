"""Perturbations of contacts: arrays in, arrays out; nothing here knows an animal or a file."""
