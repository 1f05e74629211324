"""Configuration: one schema, YAML with line numbers, variants."""
