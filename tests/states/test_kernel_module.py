"""kernel-module: the table says what diff() does; the property says that it converges."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_protocol.policy import Claim
from saltern_states.contract import WatchPath, WatchReading
from saltern_states.kernel_module import KIND, KernelModule, LoadModule
from saltern_states.ports import HostError
from saltern_states.testing import FakeHost

from tests.states.laws import converge, lines, take_back

SAVED = "/etc/modules-load.d/saltern-br_netfilter.conf"
WANT = KernelModule(name="br_netfilter")
READING = WatchReading(Path("/sys/module/br_netfilter/initstate"))
LOAD = "load kernel module br_netfilter"
CREATE = f"create {SAVED} (13 bytes, 0644 root:root)"
REMOVE = f"remove {SAVED}"


def node(state: str, saved: bytes | None) -> FakeHost:
    host = FakeHost()
    host.files.put_directory("/etc/modules-load.d")
    if saved is not None:
        host.files.put_file(SAVED, saved)
    host.modules.loadable = {"br_netfilter"}
    host.modules.loaded = {"br_netfilter"} if state == "loaded" else set()
    host.modules.built_in = {"br_netfilter"} if state == "built-in" else set()
    return host


@pytest.mark.parametrize(
    ("state", "saved", "persist", "told"),
    [
        pytest.param("loaded", b"br_netfilter\n", True, [], id="as it shall be"),
        pytest.param("absent", None, True, [LOAD, CREATE], id="absent"),
        pytest.param("loaded", None, True, [CREATE], id="would not survive a reboot"),
        pytest.param("absent", b"br_netfilter\n", True, [LOAD], id="unloaded"),
        pytest.param("built-in", None, True, [], id="built in, it needs no file"),
        pytest.param("built-in", b"br_netfilter\n", True, [REMOVE], id="built in since"),
        pytest.param("loaded", b"br_netfilter\n", False, [REMOVE], id="not to persist"),
        pytest.param("absent", None, False, [LOAD], id="absent, not to persist"),
    ],
)
def test_diff(state: str, saved: bytes | None, persist: bool, told: list[str]) -> None:
    want = KernelModule(name="br_netfilter", persist=persist)

    assert lines(converge(KIND, node(state, saved), want)) == told


def test_removed_it_stays_loaded() -> None:
    host = node("loaded", b"br_netfilter\n")

    assert lines(take_back(KIND, host, WANT)) == [REMOVE]

    assert host.modules.state("br_netfilter") == "loaded"


def test_a_module_that_cannot_be_loaded_is_an_error_that_names_it() -> None:
    host = node("absent", None)
    host.modules.loadable = set()
    change = KIND.plan(host, WANT)[0]
    assert isinstance(change, LoadModule)

    with pytest.raises(HostError, match="cannot load module br_netfilter"):
        KIND.apply(host, change)


def test_claims_and_watch() -> None:
    assert KIND.claims(WANT) == (Claim("module", "br_netfilter"),)
    assert KIND.watch(WANT) == (WatchPath(Path(SAVED)), READING)


@given(
    state=st.sampled_from(["built-in", "loaded", "absent"]),
    saved=st.none() | st.binary(max_size=20),
    persist=st.booleans(),
)
def test_one_pass_converges(state: str, saved: bytes | None, persist: bool) -> None:
    host = node(state, saved)

    converge(KIND, host, KernelModule(name="br_netfilter", persist=persist))

    assert host.modules.state("br_netfilter") == ("built-in" if state == "built-in" else "loaded")
    needed = persist and state != "built-in"
    assert host.files.read(Path(SAVED)) == (b"br_netfilter\n" if needed else None)
