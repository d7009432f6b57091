"""What a certificate says, what was asked for, and how the two differ. Pure.

The kind asks it of what lies on the disk, the node's port of what an issuer sent, and the
tests of what the master signs: one question, so what is taken can never be found wrong after.

* Order counts for nothing in organizations, names, addresses and usages; all else is exact.
* A life is what the Spec says, or up to a day longer: an issuer dates back what it signs,
  because clocks differ.
* Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from saltern_protocol.errors import printable

DAY: Final = 86400  # seconds
MAX_TOLD: Final = 200  # characters of a list of names


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a certificate shall say, and whose signature it shall carry."""

    common_name: str
    organizations: tuple[str, ...]
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    usages: tuple[str, ...]
    days: int
    renew_before_days: int  # 0: a third of its life
    ca: str  # PEM


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a certificate says, beside a private key and an authority."""

    common_name: str
    organizations: tuple[str, ...]
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    usages: tuple[str, ...]  # "client", "server"; another as its object identifier
    not_before: int
    not_after: int
    of_key: bool  # its public key is the private key's
    of_issuer: bool  # the authority signed it
    odd: tuple[str, ...] = ()  # what no certificate of ours has: "it is an authority"

    @property
    def life(self) -> int:
        """From the first moment to the last, in seconds."""
        return self.not_after - self.not_before


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and the certificate beside it, as they are now."""

    now: int
    key_fault: str = (
        ""  # what is wrong with the key's content; "" where there is none, or it is good
    )
    leaf: Leaf | None = None  # None: no file, or one that holds no certificate


def unlike(wanted: Wanted, leaf: Leaf, now: int) -> tuple[str, ...]:
    """Say all that keeps a certificate from being the one that was asked for; () for nothing."""
    told = list(leaf.odd)
    if not leaf.of_key:
        told.append("it is of another key")
    if not leaf.of_issuer:
        told.append("it is not signed by that authority")
    if leaf.common_name != wanted.common_name:
        told.append(f"its common name is {_listed({leaf.common_name})}")
    for what in ("organizations", "dns", "addresses", "usages"):
        found, asked = set(getattr(leaf, what)), set(getattr(wanted, what))
        if found != asked:
            told.append(f"its {what} are {_listed(found)} and not {_listed(asked)}")
    if not wanted.days * DAY <= leaf.life <= (wanted.days + 1) * DAY:
        told.append(f"its life is {leaf.life / DAY:.1f} days")
    if now < leaf.not_before:
        told.append(f"it begins on {day(leaf.not_before)}, and this node's clock says {day(now)}")
    if now > leaf.not_after:
        told.append(f"it ended on {day(leaf.not_after)}")
    return tuple(told)


def due(wanted: Wanted, leaf: Leaf, now: int) -> bool:
    """Say whether it is time for the next one, though this one still holds."""
    return now >= leaf.not_after - (wanted.renew_before_days * DAY or leaf.life // 3)


def day(seconds: int) -> str:
    """Give the day of a time as people write it."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _listed(names: set[str]) -> str:
    """Name them on one short line: what stands in a stranger's certificate is anything."""
    told = printable(", ".join(sorted(names))) or "none"
    return told if len(told) <= MAX_TOLD else f"{told[:MAX_TOLD]}…"
