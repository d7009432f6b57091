"""Who is held, for how long and by whom: the laws of Holder, on every stand of services."""

from __future__ import annotations

from saltern_master.api.holds import HoldAsk, HoldsView, HoldView, ReleaseAsk

from tests.contracts.service_stands import TWO, Run, Stand, joined, refused, run

__all__ = ["run"]

ALWAYS = """\
maintenance:
- {name: by-day, from: "00:00", to: "12:00", nodes: w1, why: work}
- {name: by-night, from: "12:00", to: "24:00", nodes: w1, why: work}
- {name: weekly, days: [sat], from: "01:00", to: "02:00", zone: Europe/Berlin, why: patches}
"""


def ask(*nodes: str, target: str = "", seconds: int = 60, by: str = "ann") -> HoldAsk:
    return HoldAsk(nodes=nodes, target=target, seconds=seconds, why="a new disk", by=by)


async def held(stand: Stand) -> tuple[str, ...]:
    return tuple(one.node for one in (await stand.service.holds()).holds)


def test_a_node_is_held_and_released(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        assert await service.holds() == HoldsView()
        (made,) = await service.hold(ask("w1"))
        assert (made.node, made.why, made.by) == ("w1", "a new disk", "ann")
        assert (made.until - made.since, made.connected, made.in_force) == (60, True, True)
        assert abs(made.since - stand.now()) < 10
        assert (await service.holds()).holds == (made,)
        view = (await service.node("w1")).hold
        assert view is not None
        assert (view.until, view.why, view.by, view.in_force) == (
            made.until,
            "a new disk",
            "ann",
            True,
        )
        assert [one.hold for one in (await service.status()).nodes] == [view, None]
        (gone,) = await service.release(ReleaseAsk(nodes="w1"))
        assert (gone.node, gone.until, gone.in_force) == ("w1", made.until, False)
        assert await service.holds() == HoldsView()
        assert (await service.node("w1")).hold is None

    run(law)


def test_the_last_word_counts(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        (first,) = await stand.service.hold(ask("w1"))
        both = await stand.service.hold(ask(target="name=w*", seconds=30, by="bob"))
        assert [(one.node, one.before_by, one.before_until) for one in both] == [
            ("w1", "ann", first.until),
            ("w2", "", 0.0),
        ]
        assert [one.by for one in (await stand.service.holds()).holds] == ["bob", "bob"]

    run(law)


def test_nobody_is_held_where_one_is_unknown(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        await service.revoke("w2")
        error = await refused(service.hold(ask("w1", "w2", "w9")))
        assert error.code == "invalid"
        assert str(error) == "cannot hold w2, w9: no such node; there are: w1"
        assert error.faults == ()
        for nobody in (ask(), ask("w1", target="w1"), ask(target="role=wroker"), ask(target="x*")):
            assert (await refused(service.hold(nobody))).code == "invalid"
        assert await held(stand) == ()

    run(law)


def test_who_is_released_is_named_by_all_three_ways(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        await service.hold(ask("w1", "w2"))
        for unclear in (ReleaseAsk(), ReleaseAsk(nodes="w1", all=True)):
            assert (await refused(service.release(unclear))).code == "invalid"
        found: tuple[HoldView, ...] = await service.release(ReleaseAsk(target="w2"))
        assert [one.node for one in found] == ["w2"]
        error = await refused(service.release(ReleaseAsk(nodes="w1,w2")))
        assert error.code == "not-found"
        assert str(error).startswith("cannot release w2: no person holds it")
        assert error.faults == ()
        assert await held(stand) == ("w1",)
        assert [one.node for one in await service.release(ReleaseAsk(all=True))] == ["w1"]
        assert await service.release(ReleaseAsk(all=True)) == ()

    run(law)


def test_who_is_revoked_is_not_held_any_more(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.service.hold(ask("w1", "w2"))
        await stand.service.revoke("w1")
        assert await held(stand) == ("w2",)

    run(law)


def test_windows_are_those_of_the_file_that_was_applied(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await joined(stand, "w1", "w2")
        turn = await service.apply((TWO + ALWAYS).encode())
        for name in ("w1", "w2"):
            await stand.report(turn.turn, name, "converged")
        windows = (await service.holds()).windows
        assert sorted((one.name, one.nodes) for one in windows) == [
            ("by-day", ("w1",)),
            ("by-night", ("w1",)),
            ("weekly", ("w1", "w2")),
        ]
        first = windows[0]
        assert first.open
        assert first.begins <= stand.now() < first.ends
        assert [one.open for one in windows[1:]] == sorted(one.open for one in windows[1:])[::-1]
        view = (await service.node("w1")).hold
        assert view is not None
        assert view.by in ("window by-day", "window by-night")

    run(law)
