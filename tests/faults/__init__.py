"""Fault tests: what breaks on real machines, tried on purpose; each says a figure and its bar."""
