"""Who is in the circuit: cells and where they are."""
