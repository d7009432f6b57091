"""What a node reads of itself for who wants to adopt it: facts, and nothing that is secret.

* The node reads fixed places and no other: nothing in the question names one.
* All of it is data: text is compared, parsed as text and written down in quotes, never run.
* A text that holds a key, a token or a password is not in here, and neither is its hash, which
  tells a short password to who tries many: `why` says that it was left where it is, and why.
* What could not be read is a fact too (Unread), so that nobody takes it for absent.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from saltern_protocol.terms import Natural, ShortText, Text

MAX_FACTS: Final = 1000  # of one page
MAX_PAGES: Final = 16
MAX_TEXT: Final = 16 * 1024  # characters of one file, as many as a resource may have
MAX_NAMES: Final = 200

Sha256 = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?\Z")]
PathText = Annotated[str, Meta(max_length=512)]


class Fact(Struct, frozen=True, kw_only=True, tag_field="fact", forbid_unknown_fields=True):
    """What every fact is."""


class PathFact(Fact, frozen=True, tag="path"):
    """What stands at a path. `text` None: it is no text that is told; `why` says what hinders.

    `names`: of a directory, those in it; `more`: how many were too many to be named.
    """

    path: PathText
    type: Literal["file", "directory", "symlink", "other"]
    mode: Annotated[int, Meta(ge=0, le=0o7777)] = 0
    owner: ShortText = ""
    group: ShortText = ""
    size: Natural = 0  # bytes
    sha256: Sha256 = ""
    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    why: ShortText = ""
    names: Annotated[tuple[ShortText, ...], Meta(max_length=MAX_NAMES)] = ()
    more: Natural = 0


class UnitFact(Fact, frozen=True, tag="unit"):
    """What systemd says of a unit, and which file its main process runs ("": none is known)."""

    unit: ShortText
    load: ShortText
    active: ShortText
    enabled: ShortText
    needs_reload: bool = False
    program: PathText = ""


class SysctlFact(Fact, frozen=True, tag="sysctl"):
    """A kernel parameter, as the kernel prints it."""

    key: ShortText
    value: Text


class ModuleFact(Fact, frozen=True, tag="module"):
    """A kernel module: absent ones are told too."""

    name: ShortText
    state: Literal["built-in", "loaded", "absent"]


class PackageFact(Fact, frozen=True, tag="package"):
    """A Debian package that is installed."""

    name: ShortText
    version: ShortText


class LinkFact(Fact, frozen=True, tag="link"):
    """A link of a name that clusters use, or the uplink; `loose`: veth links, port of nothing."""

    name: ShortText
    kind: ShortText
    up: bool
    mtu: Natural
    promiscuous: bool
    addresses: Annotated[tuple[ShortText, ...], Meta(max_length=32)]
    loose: Annotated[tuple[ShortText, ...], Meta(max_length=MAX_NAMES)] = ()


class RouteFact(Fact, frozen=True, tag="route"):
    """An IPv4 route that a hand or a program made, not the kernel."""

    destination: ShortText
    via: ShortText
    device: ShortText
    metric: Natural
    protocol: Natural
    type: ShortText


class RuleFact(Fact, frozen=True, tag="rule"):
    """A rule of iptables that kube-proxy did not make, as iptables-save prints it."""

    backend: ShortText
    table: ShortText
    chain: ShortText
    rule: Text


class SwapFact(Fact, frozen=True, tag="swap"):
    """The swap areas in use, and whether fstab has lines that bring some back."""

    active: Annotated[tuple[ShortText, ...], Meta(max_length=32)]
    returns: bool


class Unread(Fact, frozen=True, tag="unread"):
    """What could not be read, or was too much to be told."""

    what: Text
    why: Text


AnyFact = (
    PathFact
    | UnitFact
    | SysctlFact
    | ModuleFact
    | PackageFact
    | LinkFact
    | RouteFact
    | RuleFact
    | SwapFact
    | Unread
)
