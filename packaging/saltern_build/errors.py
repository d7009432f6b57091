"""The one error that building packages raises for people to read."""


class PackagingError(Exception):
    """A package cannot be built; the text says why and what to do."""
