"""unit: living by a file that nobody declares the content of, such as a certificate made here."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_states.certificate import EXAMPLE_AUTHORITY, Certificate, MakeKey
from saltern_states.certificate import KIND as CERTIFICATE
from saltern_states.testing import FakeHost
from saltern_states.unit import KIND, LivesBy, Unit

from tests.states.laws import converge, lines
from tests.states.unit_node import CONFIG, UNIT, WANT, bare, restarted_with

CRT = "/etc/kubernetes/kubelet.crt"
AS_IT_IS = msgspec.structs.replace(WANT, files=(*WANT.files, LivesBy(path=CRT, sha256="")))
RESTART = f"restart {UNIT}: it runs with another {CRT}"


def running(want: Unit = AS_IT_IS) -> FakeHost:
    host = bare()
    host.files.put_file(CRT, b"one")
    converge(KIND, host, want)
    assert KIND.plan(host, want) == ()
    return host


def test_another_content_restarts_it_once() -> None:
    host = running()
    host.files.put_file(CRT, b"two")

    assert lines(converge(KIND, host, AS_IT_IS)) == [RESTART]
    assert converge(KIND, host, AS_IT_IS) == ()


def test_or_reloads_it() -> None:
    want = msgspec.structs.replace(WANT, files=(LivesBy(path=CRT, sha256="", on_change="reload"),))
    host = running(want)
    host.files.put_file(CRT, b"two")

    told = lines(converge(KIND, host, want))

    assert told == [f"reload {UNIT}: it runs with another {CRT}"]


def test_a_stranger_who_puts_it_back_is_seen() -> None:
    host = running()
    restarted_with(CRT, "stranger")(host)

    assert lines(converge(KIND, host, AS_IT_IS)) == [RESTART]


def test_what_runs_goes_on_while_the_file_is_gone() -> None:
    host = running()
    host.files.take(CRT)

    assert KIND.plan(host, AS_IT_IS) == ()


def test_but_it_is_not_started_without_it() -> None:
    host = running()
    host.files.take(CRT)
    host.units.crash(UNIT)

    assert lines(KIND.plan(host, AS_IT_IS)) == [
        f"blocked: not as declared: {CRT}",
        f"  then start {UNIT} (was failed)",
    ]


def test_nor_because_another_file_changed() -> None:
    host = running()
    restarted_with(CONFIG, "stranger")(host)
    host.files.take(CRT)

    assert lines(KIND.plan(host, AS_IT_IS))[0] == f"blocked: not as declared: {CRT}"


def test_the_record_tells_what_it_was_started_with() -> None:
    host = running()
    drop_in = host.files.read(Path(f"/etc/systemd/system/{UNIT}.d/50-saltern-started.conf"))

    assert CRT.encode() in (drop_in or b"")


def certificate() -> Certificate:
    return Certificate(
        path=CRT,
        key="/etc/kubernetes/kubelet.key",
        issuer="kubernetes",
        common_name="system:node:w1",
        usages=("client",),
        days=30,
        ca=EXAMPLE_AUTHORITY,
    )


def test_a_plan_foresees_the_restart_by_a_renewal() -> None:
    host, want = bare(), certificate()
    converge(CERTIFICATE, host, want)
    converge(KIND, host, AS_IT_IS)
    host.certificates.now += 25 * 86400

    renewal = CERTIFICATE.plan(host, want)
    foreseen = KIND.foresee(AS_IT_IS, KIND.observe(host, AS_IT_IS), renewal)

    assert lines(foreseen) == [RESTART]
    converge(CERTIFICATE, host, want)
    assert lines(converge(KIND, host, AS_IT_IS)) == [RESTART]


def test_another_file_foreseen_is_no_reason() -> None:
    host = running()
    key = MakeKey(path=Path("/etc/other"), was=None, owner="root", group="root", why="")

    assert KIND.foresee(AS_IT_IS, KIND.observe(host, AS_IT_IS), (key,)) == ()


@pytest.mark.parametrize("sha256", ["0" * 63, "x", "0" * 64 + "\n", "\n"])
def test_a_hash_is_whole_or_empty(sha256: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"path": CRT, "sha256": sha256}, LivesBy)


@given(st.lists(st.sampled_from([b"one", b"two", b"three"]), max_size=6))
def test_law_what_runs_was_started_with_what_is_there(contents: list[bytes]) -> None:
    host = running()
    last = b"one"
    for content in contents:
        host.files.put_file(CRT, content)
        told = lines(converge(KIND, host, AS_IT_IS))
        assert told == ([RESTART] if content != last else [])
        last = content
