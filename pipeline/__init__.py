"""Sonatina: build, simulate and judge connectome-based brain models from config files."""

RESULTS_VERSION = 1
"""Raised whenever the same config and seed give other numbers; CHANGELOG.md says which."""
