"""Adapters from outside datasets to plain tables; each names its origin and licence."""
