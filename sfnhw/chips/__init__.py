"""Chips that ship with sfnhw: one YAML file each."""
