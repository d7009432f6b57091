"""Brings one node to its declared state and keeps it there."""

__version__ = "0.1.0"  # of the release, as in its pyproject.toml; a node tells it to its master
