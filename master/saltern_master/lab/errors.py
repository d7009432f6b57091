"""What the lab says when it cannot go on."""

from saltern_master.errors import MasterError


class LabError(MasterError):
    """The lab cannot do what was asked; the text says what was found and what to do."""
