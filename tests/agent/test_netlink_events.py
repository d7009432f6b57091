"""Netlink's messages, parsed from bytes that a kernel 6.18 sent (x86-64, so little-endian)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.host.events import chains, rtnetlink
from saltern_agent.host.events.chains import ChainNews, ChainSource, Transaction
from saltern_agent.host.events.netlink import HEADER, Message, attributes, messages
from saltern_agent.host.events.rtnetlink import AddressNews, LinkNews, News, RouteNews
from saltern_agent.sources import Events
from saltern_states.contract import WatchChain

from tests.agent.waiting import few_descriptors, readable

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
POST = ChainNews("nat", "SALTERN-POST")


def captured(name: str) -> tuple[Message, ...]:
    return tuple(messages(bytes.fromhex((GOLDEN / f"{name}.hex").read_text())))


@pytest.mark.parametrize(
    ("name", "news"),
    [
        ("link-changed", [LinkNews(2, "cbr0", up=True, gone=False)]),
        (
            "link-deleted",
            [
                LinkNews(2, "cbr0", up=False, gone=False),
                AddressNews(2, gone=True),
                LinkNews(2, "cbr0", up=False, gone=True),
            ],
        ),
        (
            "address-added",
            [
                AddressNews(2, gone=False),
                RouteNews(rtnetlink.destination("10.10.5.0/24"), frozenset({2}), gone=False),
            ],
        ),
        (
            "route-added",
            [RouteNews(rtnetlink.destination("10.10.7.0/24"), frozenset({2}), gone=False)],
        ),
        (
            "multipath-route-added",
            [RouteNews(rtnetlink.destination("10.10.9.0/24"), frozenset({1, 2}), gone=False)],
        ),
        ("route-of-another-table-added", []),
    ],
)
def test_rtnetlink(name: str, news: list[News]) -> None:
    assert [said for said in map(rtnetlink.parse, captured(name)) if said] == news


@pytest.mark.parametrize(
    ("name", "news"),
    [
        (
            "chain-restored",
            [ChainNews("nat", ""), POST, POST, Transaction(20203, "iptables-nft-re")],
        ),
        ("chain-flushed", [POST, Transaction(20204, "iptables-nft")]),
        ("chain-deleted", [POST, Transaction(20205, "iptables-nft")]),
    ],
)
def test_nf_tables(name: str, news: list[ChainNews | Transaction]) -> None:
    assert [chains.parse(message) for message in captured(name)] == news


def test_a_process_cannot_write_to_the_terminal_by_its_name() -> None:
    (*_, generation) = captured("chain-deleted")
    assert b"iptables-nft" in generation.body
    hostile = generation.body.replace(b"iptables-nft", b"\x1b[2J\nroot did")
    transaction = chains.parse(Message(generation.type, 0, hostile))
    assert str(transaction) == "\\x1b[2J\\x0aroot did (pid 20205)"


@pytest.mark.parametrize(
    ("cidr", "destination"),
    [
        ("0.0.0.0/0", (bytes(4), 0)),
        ("10.10.5.0/24", (bytes([10, 10, 5, 0]), 24)),
        ("10.10.5.7/24", (bytes([10, 10, 5, 0]), 24)),
        ("192.0.2.1/32", (bytes([192, 0, 2, 1]), 32)),
        ("192.0.2.1", (bytes([192, 0, 2, 1]), 32)),
    ],
)
def test_destinations(cidr: str, destination: rtnetlink.Destination) -> None:
    assert rtnetlink.destination(cidr) == destination


def test_without_netfilter_sockets_it_says_so_and_is_silent() -> None:
    with few_descriptors(1):
        source = ChainSource()
    assert source.trouble() == ""  # nobody wants to hear of chains
    source.set_watches(frozenset({WatchChain("nat", ("POSTROUTING",))}))
    assert source.trouble() == "cannot hear nf_tables: Too many open files"
    assert not readable(source, 0)
    assert source.read() == Events()
    source.close()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_the_end(data: bytes) -> None:
    assert sum(HEADER.size + len(message.body) for message in messages(data)) <= len(data)
    assert sum(4 + len(value) for _, value in attributes(data, 0)) <= len(data)


@given(
    st.sampled_from([16, 17, 20, 21, 24, 25, 2560, 2562, 2563, 2565, 2566, 2568, 2575]),
    st.binary(max_size=120),
)
def test_any_body_is_news_or_nothing(kind: int, body: bytes) -> None:
    message = Message(kind, 0, body)
    assert rtnetlink.parse(message) is None or kind < 2560
    assert chains.parse(message) is None or kind >= 2560
