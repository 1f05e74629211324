"""Circuits changed into other circuits: edges in, edges out."""
