"""The cubic premotor model of Morrison & Young 2025 (PLOS Comput Biol, 10.1371/journal.pcbi.1013818)."""
