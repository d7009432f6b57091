"""chain: one iptables chain of our own, whole, with its jump from a built-in chain."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from saltern_states.contract import Spec
from saltern_states.ports import Backend

ChainName = Annotated[str, Meta(pattern=r"^SALTERN-[A-Z0-9-]{1,20}\Z")]


class Jump(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the chain is called: once, from one built-in chain, at a declared place."""

    chain: Literal["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]
    place: Literal["first", "last", "any"] = "any"


class Chain(Spec, frozen=True, kw_only=True, tag="chain/1"):
    """A chain and all its rules, in order, each as iptables-save prints it after "-A NAME "."""

    table: Literal["filter", "nat", "mangle", "raw"]
    name: ChainName
    rules: tuple[Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]+\Z", max_length=512)], ...]
    jump: Jump
    backend: Backend = "nft"
