"""Connectivity from rules: sampled in work proportional to edges, the same for any split."""
