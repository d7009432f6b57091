"""Nodes that read themselves for an adoption, on every stand of services."""

from __future__ import annotations

from saltern_protocol.reading import SysctlFact, Unread

from tests.contracts.service_stands import Run, Stand, joined, refused, run

__all__ = ["run"]

FACTS = (SysctlFact(key="net.ipv4.ip_forward", value="1"), Unread(what="swap", why="no /proc"))


def test_what_a_node_says_of_itself_is_told_as_it_is(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.read_itself("w1", *FACTS)
        found = await stand.service.survey("w1")
        assert (found.node, found.node_class, found.version) == ("w1", "worker", 0)
        assert found.facts == FACTS

    run(law)


def test_a_node_that_nobody_knows_is_not_found(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        error = await refused(stand.service.survey("w2"))
        assert (error.code, "w2" in str(error)) == ("not-found", True)

    run(law)


def test_a_node_that_was_revoked_is_asked_nothing(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        await stand.service.revoke("w1")
        assert (await refused(stand.service.survey("w1"))).code == "not-found"

    run(law)
