"""Paired recordings in silico: connections drawn, recorded from, held beside published ones."""
