"""Builders for ATen operations, one file for each family."""
