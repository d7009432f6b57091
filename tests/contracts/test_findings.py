"""Traps as a master tells them, on every stand of services: of the file, of nodes, between them."""

from __future__ import annotations

from tests.contracts.service_stands import TWO, Run, Stand, joined, run

__all__ = ["run"]


def test_a_new_master_has_none(run: Run) -> None:
    async def law(stand: Stand) -> None:
        found = await stand.service.findings()
        assert (found.revision, found.file, found.between, found.nodes) == (0, (), (), ())
        assert abs(found.now - stand.now()) < 60

    run(law)


def test_the_file_that_was_applied_last_is_looked_at(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.service.apply(TWO.encode())
        found = await stand.service.findings()
        assert (found.revision, found.file) == (1, ())
        await stand.service.apply(TWO.replace("16}", "16, perNode: 26}").encode())
        (one,) = (await stand.service.findings()).file
        assert (one.finding.trap, one.nodes) == ("pods-per-node", ("w1", "w2"))
        assert one.finding.bad
        assert one.finding.remedy

    run(law)


def test_a_node_that_never_told_says_so(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        found = await stand.service.findings()
        assert [(one.node, one.connected) for one in found.nodes] == [("w1", True), ("w2", True)]
        assert {one.told_at for one in found.nodes} == {0.0}

    run(law)
