"""Brings one node to its declared state and keeps it there."""
