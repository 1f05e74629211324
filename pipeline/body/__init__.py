"""Bodies of animals: muscle activation in, positions, velocities and forces out."""
