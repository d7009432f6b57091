"""The one base of all errors that saltern_master raises for people to read.

A text starts with "cannot", names the thing, says what was found and what to do.
"""


class MasterError(Exception):
    """Something that was asked for cannot be done; the text says why and what to do."""
