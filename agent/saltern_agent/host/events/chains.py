"""WatchChain, heard by nf_tables: iptables-nft keeps its tables there by their own names.

* Numbers are of <linux/netfilter/nf_tables.h>. The legacy back end tells nothing.
* A transaction ends with NEWGEN, which says who made it (process id and name): what a
  transaction touched is told when that has come.
"""

from __future__ import annotations

import select
import struct
from dataclasses import dataclass
from typing import Final

from saltern_states.contract import Watch, WatchChain

from saltern_agent.host.events.netlink import Listener, Message, attributes, text
from saltern_agent.sources import Events

NETLINK_NETFILTER: Final = 12
NFTABLES_GROUP: Final = 1 << (7 - 1)  # NFNLGRP_NFTABLES
NFTABLES: Final = 10  # NFNL_SUBSYS_NFTABLES
IPV4: Final = 2  # NFPROTO_IPV4

GENERIC: Final = struct.Struct(">BBH")  # family, version, resource
TABLE_MESSAGES: Final = frozenset({0, 2})  # NFT_MSG_NEWTABLE, _DELTABLE
NEW_GENERATION: Final = 15

CHAIN_NAME: Final = {  # which attribute names the chain, by message
    3: 3,  # NFT_MSG_NEWCHAIN: NFTA_CHAIN_NAME
    5: 3,  # NFT_MSG_DELCHAIN
    6: 2,  # NFT_MSG_NEWRULE: NFTA_RULE_CHAIN
    8: 2,  # NFT_MSG_DELRULE
}
TABLE_NAME: Final = 1  # NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE
PROCESS_ID, PROCESS_NAME = 2, 3  # NFTA_GEN_PROC_PID, _NAME


@dataclass(frozen=True, slots=True)
class ChainNews:
    """An IPv4 table, or one chain of it, came, changed or went."""

    table: str
    chain: str  # "" for the table as such


@dataclass(frozen=True, slots=True)
class Transaction:
    """The end of a transaction: who made it."""

    process_id: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.process_id})"


def parse(message: Message) -> ChainNews | Transaction | None:
    """Read a message; None where it tells of something else."""
    subsystem, kind = divmod(message.type, 256)
    if subsystem != NFTABLES or len(message.body) < GENERIC.size:
        return None
    found = dict(attributes(message.body, GENERIC.size))
    if kind == NEW_GENERATION:
        return Transaction(
            int.from_bytes(found.get(PROCESS_ID, b""), "big"),
            _printable(found.get(PROCESS_NAME, b"")),
        )
    if message.body[0] != IPV4 or TABLE_NAME not in found:
        return None
    if kind in TABLE_MESSAGES:
        return ChainNews(text(found[TABLE_NAME]), "")
    if kind in CHAIN_NAME and CHAIN_NAME[kind] in found:
        return ChainNews(text(found[TABLE_NAME]), text(found[CHAIN_NAME[kind]]))
    return None


class ChainSource:
    """Tells when a chain of iptables-nft may have changed, and who did it."""

    def __init__(self) -> None:
        self._epoll = select.epoll()  # stands for no socket where the kernel has no netfilter
        self._listener: Listener | None = None
        self._trouble = ""
        try:
            self._listener = Listener(NETLINK_NETFILTER, NFTABLES_GROUP)
        except OSError as error:
            self._trouble = f"cannot hear nf_tables: {error.strerror or error}"
        else:
            self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._by_name: dict[ChainNews, set[Watch]] = {}
        self._open: set[Watch] = set()  # touched by a transaction whose end has not come yet

    def fileno(self) -> int:
        """Give the descriptor that stands for the netlink socket, if there is one."""
        return self._epoll.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these WatchChains."""
        self._by_name = {}
        for watch in watches:
            if isinstance(watch, WatchChain):
                for chain in (*watch.chains, ""):
                    self._by_name.setdefault(ChainNews(watch.table, chain), set()).add(watch)
        self._open &= watches

    def read(self) -> Events:
        """Give the chains to look at again, each with who changed it last."""
        if self._listener is None:
            return Events()
        heard, lost = self._listener.read()
        causes: dict[Watch, str] = {}
        for message in heard:
            news = parse(message)
            if isinstance(news, ChainNews):
                self._open |= self._by_name.get(news, set())
            elif isinstance(news, Transaction):
                causes |= dict.fromkeys(self._open, str(news))
                self._open.clear()
        if lost:  # and with it perhaps the end of what is open: all is looked at anyway
            self._open.clear()
        return Events(frozenset(causes), lost, causes)

    def trouble(self) -> str:
        """Say that this kernel has no netfilter sockets; "" where chains are heard."""
        return self._trouble if self._by_name else ""

    def close(self) -> None:
        """Let go of every descriptor."""
        self._epoll.close()
        if self._listener is not None:
            self._listener.close()


def _printable(name: bytes) -> str:
    """Give a process's name; it chose that itself, so control characters are escaped."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text(name))
