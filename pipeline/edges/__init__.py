"""Who talks to whom, and where on the cell."""
