"""Threshold units as netlists of generic gates, held against the model of `sfnhw.chip`."""
