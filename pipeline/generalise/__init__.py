"""Generalisation: which morphology fires like which e-type."""
