"""Unit files, drop-ins and environment files as text: what a service runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.adopt.unit_file import Command, command, settings, unread_files, values

from tests.adoption.nodes import KUBEADM_DROP_IN, KUBELET_UNIT

UNIT = "[Unit]\nDescription=x\n[Service]\nExecStart=/usr/bin/kubelet\nRestart=always\n"


@pytest.mark.parametrize(
    ("texts", "files", "wanted"),
    [
        pytest.param((UNIT,), {}, Command("/usr/bin/kubelet", ()), id="plain"),
        pytest.param((), {}, None, id="nothing"),
        pytest.param(("[Service]\nExecStart=\n",), {}, None, id="emptied"),
        pytest.param((UNIT, "[Service]\nExecStart=/b\n"), {}, None, id="two commands"),
        pytest.param(
            (UNIT, "[Service]\nExecStart=\nExecStart=-/b -v 2\n"),
            {},
            Command("/b", ("-v", "2")),
            id="a drop-in in its place, its prefix cut",
        ),
        pytest.param(
            ("[Service]\nExecStart=/b \"a b\" 'c d' \\\n  # no word\n  e\n",),
            {},
            Command("/b", ("a b", "c d", "e")),
            id="quotes, a comment within a long line",
        ),
        pytest.param(
            ('[Service]\nEnvironment="A=1 2" B=x\nExecStart=/b $A ${A} -$B $C\n',),
            {},
            Command("/b", ("1", "2", "1 2", "-x")),
            id="names split, kept, inside, unknown",
        ),
        pytest.param(
            ("[Service]\nEnvironment=A=1\nEnvironmentFile=-/e\nExecStart=/b $A\n",),
            {"/e": "# no\nA='2 3'\n"},
            Command("/b", ("2", "3")),
            id="a file over a line",
        ),
    ],
)
def test_what_a_service_runs(
    texts: tuple[str, ...], files: dict[str, str], wanted: Command | None
) -> None:
    assert command(settings(texts), files) == wanted


def test_the_flags_of_a_kubelet_by_hand() -> None:
    found = command(settings((KUBELET_UNIT,)), {})

    assert found is not None
    assert found.flags == {
        "pod-manifest-path": "/etc/kubernetes/manifests",
        "container-runtime": "docker",
        "pod-infra-container-image": "pause:1",
        "fail-swap-on": "false",
        "cgroup-driver": "cgroupfs",
    }


def test_the_flags_of_a_kubelet_by_kubeadm() -> None:
    env = {"/var/lib/kubelet/kubeadm-flags.env": 'KUBELET_KUBEADM_ARGS="--network-plugin=cni"\n'}
    read = settings((UNIT, KUBEADM_DROP_IN))

    found = command(read, env)

    assert found is not None
    assert found.program == "/usr/bin/kubelet"
    assert found.flags == {
        "bootstrap-kubeconfig": "/etc/kubernetes/bootstrap-kubelet.conf",
        "kubeconfig": "/etc/kubernetes/kubelet.conf",
        "config": "/var/lib/kubelet/config.yaml",
        "network-plugin": "cni",
    }
    assert unread_files(read, env, ()) == (), "systemd too does without those"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--a=1", "--b", "2", "--c", "--d"), {"a": "1", "b": "2", "c": "true", "d": "true"}),
        (("--a=1", "--a=2"), {"a": "2"}),
        (("-v", "2", "-", "--", "x"), {"v": "2"}),
        (("--a=b=c",), {"a": "b=c"}),
        (("alone",), {}),
    ],
)
def test_flags(words: tuple[str, ...], wanted: dict[str, str]) -> None:
    assert Command("/b", words).flags == wanted


def test_an_environment_file_that_nobody_read_is_named() -> None:
    read = settings(("[Service]\nEnvironmentFile=/etc/other\nExecStart=/b\n",))

    assert unread_files(read, {}, ()) == ("/etc/other",)
    assert values(read, "Service", "EnvironmentFile") == ("/etc/other",)


@given(st.text())
def test_no_text_makes_the_reader_fail(text: str) -> None:
    found = command(settings((text, f"[Service]\nExecStart={text}\n")), {"/e": text})

    assert found is None or found.flags is not None
