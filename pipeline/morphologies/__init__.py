"""Morphologies of a model: a checked library of reconstructions, or cells grown from distributions."""
