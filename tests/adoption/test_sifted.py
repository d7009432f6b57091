"""What is held of a node and what is left: crowds, empty folders, files that set one thing."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace
from saltern_master.adopt.describe import describe
from saltern_protocol.reading import PathFact

from tests.adoption.nodes import guides_node, machine, survey_of


def test_a_crowd_that_a_hostile_node_tells_of_is_sifted_at_once() -> None:
    crowd = tuple(
        PathFact(
            path=f"/etc/docker/{number}",
            type="file",
            mode=0o644,
            owner="root",
            group="root",
            text="x" * 200,
        )
        for number in range(8000)
    )
    view = replace(survey_of(machine()), facts=crowd)
    began = time.process_time()

    part = describe(view, "10.9.0.21")

    assert time.process_time() - began < 1.5
    assert 0 < len(part.held) < len(part.held) + len(part.left) == len(crowd)


def test_that_a_pod_which_comes_later_is_removed_is_said_of_an_empty_folder_too() -> None:
    host = machine()
    host.files.put_directory("/etc/kubernetes/manifests", 0o755)

    (folder,) = (
        one
        for one in describe(survey_of(host), "").held
        if one.resource.id == "adopted/etc/kubernetes/manifests"
    )

    assert "is removed" in folder.note


def test_a_drop_in_until_the_next_boot_is_named_with_the_flags_that_it_brings() -> None:
    host = guides_node()
    path = "/run/systemd/system/kubelet.service.d/50-once.conf"
    host.files.put_file(path, b"[Service]\nExecStart=\nExecStart=/usr/bin/kubelet --v=9\n")

    part = describe(survey_of(host), "")

    assert "gone with the next boot" in {one.what: one.why for one in part.left}[path]
    assert any("--v=9" in hint for hint in part.hints)


@pytest.mark.parametrize(
    ("files", "held"),
    [
        ({"sysctl.conf": "1", "sysctl.d/10-x.conf": "0"}, True),
        ({"sysctl.conf": "1", "sysctl.d/99-z.conf": "0"}, False),
        ({"sysctl.d/README": "0"}, True),
        ({"sysctl.d/10-x.conf": "0"}, False),
    ],
)
def test_of_files_that_set_a_parameter_the_last_that_is_read_counts(
    files: dict[str, str], held: bool
) -> None:
    host = machine()
    host.sysctls.values["net.ipv4.ip_forward"] = "1"
    for name, value in files.items():
        host.files.put_file(f"/etc/{name}", f"net.ipv4.ip_forward={value}\n".encode())

    part = describe(survey_of(host), "")

    ids = [one.resource.id for one in part.held]
    assert ("adopted/sysctl/net.ipv4.ip_forward" in ids) == held
    assert ("kernel parameter net.ipv4.ip_forward" in [one.what for one in part.left]) != held
