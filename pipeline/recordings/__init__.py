"""Recordings of cells: sweeps read, features taken, targets written."""
