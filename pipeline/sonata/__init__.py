"""SONATA files: names, writing, reading, checking."""
