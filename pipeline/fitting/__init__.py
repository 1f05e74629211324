"""Fitting of e-models: BluePyOpt searches, our evaluation, crash-proof logs."""
