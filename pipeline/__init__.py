"""Sonatina: build, simulate and judge connectome-based brain models from config files."""
