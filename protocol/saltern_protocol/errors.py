"""What can go wrong with a message or a document, told by whose turn it is.

    ProtocolError
    ├── MalformedError   these bytes are not what we know: whoever made them must make them again
    └── RefusedError     we understood, and we will not: `reason` says which rule stands against it

* A reason is a word that programs compare and people search for; it never changes meaning.
* The text is for people: what was to be done, what was found, what to do about it.
* The text is fit for a terminal and a log: what a stranger wrote comes out escaped.
"""

from enum import StrEnum, unique

MAX_TEXT = 16 * 1024


@unique
class Reason(StrEnum):
    """Why something well formed was refused; docs/explanation/trust.md has what to do."""

    WRONG_TYPE = "wrong-type"
    UNSIGNED = "unsigned"
    WRONG_CLUSTER = "wrong-cluster"
    WRONG_NODE = "wrong-node"
    WRONG_INCARNATION = "wrong-incarnation"
    WRONG_EPOCH = "wrong-epoch"
    WRONG_BODY = "wrong-body"
    WRONG_NONCE = "wrong-nonce"
    WRONG_SEAL = "wrong-seal"
    ROLLBACK = "rollback"
    EXPIRED = "expired"
    ROOT_GAP = "root-gap"
    ROOT_EXPIRED = "root-expired"
    POLICY_MISSING = "policy-missing"
    POLICY_EXPIRED = "policy-expired"
    OUTSIDE_POLICY = "outside-policy"
    STALE = "stale"


class ProtocolError(Exception):
    """What every error of this distribution is."""

    def __init__(self, text: str) -> None:
        super().__init__(printable(text))


class MalformedError(ProtocolError):
    """The bytes are not of a form that we know."""


class RefusedError(ProtocolError):
    """A rule of trust stands against it; `reason` names the rule."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def for_terminal(text: str) -> str:
    """Give text of any length in which nothing moves a terminal; lines and tabs stay.

    What is escaped, is as JSON does it: what was JSON is the same JSON afterwards.
    """
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else _escaped(letter) for letter in text
    )


def _escaped(letter: str) -> str:
    digits = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{digits[at : at + 4]}" for at in range(0, len(digits), 4))


def printable(text: str) -> str:
    """Give text with control characters escaped and the length bounded."""
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text[:MAX_TEXT]
    )
    return shown if len(text) <= MAX_TEXT else f"{shown} … ({len(text)} characters)"
