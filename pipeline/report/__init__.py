"""From numbers to a page a person can read."""
