"""The small types that documents, policies and roots are made of.

* Patterns end in \\Z: `$` would let a trailing newline through.
* Numbers fit a signed 64-bit column; every time can be shown as a date.
* msgspec checks them when bytes are read, not when a value is made in our own code.
"""

from typing import Annotated

from msgspec import Meta

MAX_COUNT = 2**63 - 1
LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can show
MOST_HELD = 7 * 24 * 3600  # seconds for which drift may be left alone at most

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z")]
Incarnation = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]  # new at each enrolment
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]  # a SHA-256, raw
HexDigest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]  # a SHA-256, as people write it
Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]  # versions and epochs
Seconds = Annotated[int, Meta(ge=0, le=LAST_SECOND)]  # since 1970, UTC
Natural = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Micro = Annotated[int, Meta(ge=0, le=(LAST_SECOND - 24 * 3600) * 1_000_000)]
Text = Annotated[str, Meta(max_length=4096)]
ShortText = Annotated[str, Meta(max_length=256)]
