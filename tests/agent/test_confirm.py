"""Changes that could cut a node off: confirmed by a lease, or taken back; killed at every step."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from saltern_agent.answers import StatusLine
from saltern_agent.confirm import WINDOW, Trial, could_cut_off
from saltern_agent.items import TAKEN_BACK
from saltern_agent.link.deeds import looked
from saltern_agent.loop import Look
from saltern_agent.show import show_status
from saltern_agent.status import status_of
from saltern_protocol.errors import RefusedError
from saltern_protocol.report import Outcome
from saltern_states.artifact import Artifact
from saltern_states.body import Resource
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.kinds import KINDS
from saltern_states.sysctl import Sysctl
from saltern_states.unit import Unit

from tests.agent.confirm_node import BRIDGE, ConfirmNode, KilledError, file
from tests.agent.test_root import command, made, running

RISKY = {"bridge/1", "route/1", "chain/1", "pod-routes/1", "absent-link/1", "unit/1"}


@pytest.fixture
def node(tmp_path: Path) -> ConfirmNode:
    node = ConfirmNode(tmp_path)
    node.take(file("old\n"))
    return node


def content(node: ConfirmNode) -> bytes | None:
    return node.host.files.read(Path("/etc/docker/daemon.json"))


def of(spec: Spec) -> Resource:
    return Resource(id="r", spec=spec)


def test_each_kind_is_judged() -> None:
    assert {kind.name for kind in KINDS if could_cut_off(of(kind.example))} == RISKY


@pytest.mark.parametrize(
    ("spec", "risky"),
    [
        (Unit(unit="docker.service"), True),
        (Unit(unit="saltern-agent.service"), True),
        (Unit(unit="systemd-networkd.service"), True),
        (Unit(unit="docker.timer"), False),
        (Unit(unit="kubelet.service"), False),
        (File(path="/etc/saltern/master", text="x"), True),
        (File(path="/etc/systemd/system/saltern-agent.service.d/x.conf", text="x"), True),
        (File(path="/etc/salternative", text="x"), False),
        (Directory(path="/etc/saltern"), True),
        (Directory(path="/usr/lib/saltern-agent", only=()), True),
        (Artifact(path="/usr/lib", sha256="0" * 64, unpack="tar", mode="0755"), True),
        (Directory(path="/etc/docker"), False),
        (Sysctl(key="net.core.somaxconn", value="1"), False),
    ],
)
def test_what_could_cut_a_node_off(spec: Spec, risky: bool) -> None:
    assert could_cut_off(of(spec)) is risky


def test_the_states_of_a_trial() -> None:
    making = Trial().begin("bridge")
    assert not making.over(1e9)  # what takes long is not cut off
    assert not making.proved(making.number)
    waiting = making.made(100.0)
    assert waiting.left(130.0) == WINDOW - 30
    assert waiting.over(100.0 + WINDOW)
    assert waiting.proved(waiting.number)
    again = waiting.begin("route").made(110.0)
    assert not again.proved(waiting.number)  # an older proof saw less
    assert again.proved(again.number)
    assert not again.ended().open
    assert again.ended().begin("chain").number > again.number


def test_without_a_risky_change_all_is_as_before(node: ConfirmNode) -> None:
    node.take(file("new\n"), turn=3)

    assert (node.said, node.windows, node.timer.running) == ([], [], False)
    assert node.told()[-1].outcome is Outcome.CHANGED
    assert node.phase == ""


def test_a_lease_over_a_newer_connection_confirms_and_then_the_result_is_told(
    node: ConfirmNode,
) -> None:
    node.take(file("new\n"), BRIDGE, turn=3)

    assert node.timer.running
    assert node.phase == "trial"
    assert [one.turn for one in node.told()] == [0]  # not told yet
    assert status_of(node.keeper).confirm_by == pytest.approx(node.keeper.clock() + WINDOW)
    node.now += 1
    node.lease()

    assert (node.told()[-1].turn, node.told()[-1].outcome) == (3, Outcome.CHANGED)
    assert (node.timer.running, node.phase, node.has_bridge) == (False, "", True)
    assert status_of(node.keeper).confirm_by == 0


def test_without_one_everything_is_taken_back_and_told(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE, turn=3)
    node.now += WINDOW - 1
    assert not node.keeper.end_trial()
    node.now += 1
    assert node.keeper.end_trial()

    assert (content(node), node.has_bridge) == (b"old\n", False)
    assert not node.timer.running
    told = node.told()[-1]
    assert (told.turn, told.version, told.outcome) == (3, 2, Outcome.FAILED)
    assert (told.reason, "no lease came within 60 s" in told.why) == (TAKEN_BACK, True)
    status = status_of(node.keeper)
    assert (status.state, status.version) == ("taken back", 1)
    node.start()
    assert (status_of(node.keeper).state, node.phase) == ("taken back", "back")
    assert content(node) == b"old\n"


def test_what_was_taken_back_is_not_taken_again_and_a_newer_one_is(node: ConfirmNode) -> None:
    statement = node.statement(file("new\n"), BRIDGE)
    node.keeper.take(statement)
    node.now += WINDOW
    node.keeper.end_trial()

    with pytest.raises(RefusedError, match="version 2 was taken back"):
        node.keeper.take(statement)
    assert content(node) == b"old\n"
    node.take(file("newer\n"), BRIDGE)
    node.lease()
    assert (content(node), node.has_bridge, node.phase) == (b"newer\n", True, "")
    assert status_of(node.keeper).state == "converged"


def test_a_second_taking_back_leads_to_what_was_held_and_not_to_what_failed(
    node: ConfirmNode,
) -> None:
    for text in ("new\n", "newer\n"):
        node.take(file(text), BRIDGE)
        node.now += WINDOW
        node.keeper.end_trial()
    assert (content(node), status_of(node.keeper).version) == (b"old\n", 1)


def test_a_first_document_is_taken_back_to_nothing(tmp_path: Path) -> None:
    node = ConfirmNode(tmp_path)
    node.take(file("new\n"), BRIDGE)
    node.now += WINDOW
    assert node.keeper.end_trial()

    assert (content(node), node.has_bridge) == (None, False)
    assert node.keeper.journal.owned() == {}
    assert status_of(node.keeper).state == "taken back"


def test_repairs_and_removals_of_drift_are_not_tried(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE)
    node.lease()
    node.windows.clear()
    node.host.links.delete("cbr0")
    node.keeper.look({}, whole=True)

    assert (node.has_bridge, node.windows, node.timer.running) == (True, [], False)


def test_taking_a_bridge_away_is_tried_too(node: ConfirmNode) -> None:
    node.take(file("old\n"), BRIDGE)
    node.lease()
    node.take(file("old\n"))
    assert (node.has_bridge, node.phase) == (False, "trial")
    node.now += WINDOW
    node.keeper.end_trial()
    assert node.has_bridge


def test_without_a_way_back_the_change_is_not_made(node: ConfirmNode) -> None:
    node.timer.broken = "cannot start saltern-revert.timer: no"
    node.take(file("new\n"), BRIDGE, turn=3)

    assert (content(node), node.has_bridge) == (b"new\n", False)
    (hindrance,) = node.told()[-1].hindrances
    assert (hindrance.resource, hindrance.why) == ("bridge", node.timer.broken)


def test_a_boot_in_the_window_takes_back_before_anything_is_restored(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE)
    node.timer.running, node.mark.booted, node.now = False, True, 3.0
    node.host.links.delete("cbr0")
    node.start()

    assert (content(node), node.has_bridge, node.phase) == (b"old\n", False, "back")


def test_a_restart_in_the_window_goes_on_with_the_time_that_is_left(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE)
    node.timer.running = False
    node.now += 20
    node.start()

    assert node.timer.running
    window = node.windows[-1]
    assert window is not None
    assert window.until == 1000.0 + WINDOW
    node.lease()
    assert (content(node), node.phase, node.timer.running) == (b"new\n", "", False)


def test_status_shows_what_waits_and_what_was_taken_back(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE)
    now = node.keeper.clock()
    line = StatusLine(status_of(node.keeper), pid=1, working=False)
    assert "unproved   waiting for confirmation, 42 s left" in show_status(line, 0, now + 18)
    node.now += WINDOW
    node.keeper.end_trial()
    line = StatusLine(status_of(node.keeper), pid=1, working=False)
    shown = list(show_status(line, 0, now))
    assert "state      taken back" in shown
    assert any(row.startswith("newest     taken back: no lease came") for row in shown)


def test_a_look_that_the_master_asks_for_says_that_it_was_taken_back(node: ConfirmNode) -> None:
    node.take(file("new\n"), BRIDGE)
    node.now += WINDOW
    node.keeper.end_trial()
    look = Look(status_of(node.keeper), True, 0, 0.1, 0.1, 1.0, {}, 0, False)
    told = looked(7, look)
    assert (told.turn, told.outcome, told.version) == (7, Outcome.FAILED, 1)
    (hindrance,) = told.hindrances
    assert hindrance.why.startswith("taken back: ")


def test_revert_by_hand_where_nothing_waits(tmp_path: Path) -> None:
    done = subprocess.run(
        command(made(tmp_path), "revert"), capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stdout) == (0, "nothing waits for confirmation\n")


def test_revert_needs_no_settings_that_a_document_may_have_broken(tmp_path: Path) -> None:
    root = made(tmp_path)
    (root / "etc/saltern/master").write_bytes(b"no master")
    (root / "etc/saltern/master").chmod(0o666)
    for words, code in ((("plan",), 1), (("revert",), 0)):
        done = subprocess.run(command(root, *words), capture_output=True, text=True, timeout=50)
        assert done.returncode == code, done.stderr


def test_a_running_agent_is_asked(tmp_path: Path) -> None:
    root = made(tmp_path)
    with running(root):
        done = subprocess.run(command(root, "revert"), capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (0, "nothing waits for confirmation\n")


ENDS = ("lease", "silence", "dead", "boot")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("proved", [True, False])
@pytest.mark.parametrize("end", ENDS)
def test_killed_between_any_two_effects_it_ends_confirmed_or_taken_back(
    tmp_path: Path, end: str, proved: bool, first: bool
) -> None:
    moments = 0
    while _killed_at(tmp_path / str(moments), moments, end, proved, first):
        moments += 1
    assert moments > 12


def _killed_at(path: Path, moment: int, end: str, proved: bool, first: bool) -> bool:
    """Kill the agent at a moment of an apply and of its end; False: it was through before that."""
    path.mkdir()
    node = ConfirmNode(path)
    if not first:
        node.take(file("old\n"))
    node.fuse.left = moment
    killed = False
    try:
        node.take(file("new\n"), BRIDGE)
        if proved:
            node.lease()
        else:
            node.now += WINDOW
            node.keeper.end_trial()
    except KilledError:
        killed = True
    if node.has_bridge:  # never without a way back, but where it was proved
        safe = node.phase in ("trial", "back") and node.timer.running
        assert safe or (proved and node.phase in ("spare", ""))
    was_open = node.phase == "trial"
    _go_on(node, end)
    _assert_at_an_end(node, was_open and end != "lease")
    return killed


def _go_on(node: ConfirmNode, end: str) -> None:
    node.now += 1
    if end == "dead":
        node.now += WINDOW
        node.revert()  # as often as the timer likes
        node.revert()
        assert not node.timer.running
    if end == "boot":
        node.timer.running, node.mark.booted, node.now = False, True, 2.0
    node.start()
    if end == "lease":
        node.lease()
    node.now += WINDOW
    node.keeper.end_trial()


def _assert_at_an_end(node: ConfirmNode, back: bool) -> None:
    keeper, held = node.keeper, node.keeper.body
    wanted = {resource.id for resource in held.resources}
    assert node.phase in ("", "back")
    assert not node.timer.running
    assert not keeper.trying.trial.open
    assert not keeper.journal.is_unfinished()
    assert node.has_bridge == ("bridge" in wanted)
    assert set(keeper.journal.owned()) == wanted
    if back:
        assert not node.has_bridge
    text = {0: None, 1: b"old\n", 2: b"new\n"}[len(wanted)]
    assert content(node) == text
