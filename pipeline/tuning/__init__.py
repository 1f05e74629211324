"""Searches gains of weights that bring classes to target rates."""
