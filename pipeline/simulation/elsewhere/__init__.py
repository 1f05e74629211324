"""Simulation configs made elsewhere: read, checked against what an engine knows, and run unchanged."""
