"""Maintainer scripts where a machine is not as most are; in a mount namespace of their own."""

from __future__ import annotations

import subprocess

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.system

APART = """\
set -e
for one in /etc /run /var/lib; do mount -t tmpfs tmpfs $one; done
mkdir -p /var/lib/saltern/upgrade /etc/saltern /etc/systemd/system/multi-user.target.wants
"""
"""No path that these scripts touch is the machine's own after that."""


def apart(before: str, script: str, *words: str, after: str) -> subprocess.CompletedProcess[str]:
    """Run a script where the machine's own directories are others, and then look."""
    told = f"/bin/sh {ROOT}/packaging/debian/{script} {' '.join(words)}"
    text = f"{APART}{before}\n{told} || echo FAILED $?\n{after}"
    return subprocess.run(
        ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", text],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"},
    )


def test_a_purge_empties_a_disk_that_is_mounted_there_and_does_not_fail() -> None:
    before = """
mount -t tmpfs tmpfs /var/lib/saltern
mkdir /var/lib/saltern/blobs && mount -t tmpfs tmpfs /var/lib/saltern/blobs
touch /var/lib/saltern/journal.db /var/lib/saltern/blobs/one"""
    done = apart(before, "agent.postrm", "purge", after="find /var/lib/saltern -type f; echo over")

    assert done.stdout.splitlines() == ["over"]


def test_a_purge_of_a_master_without_keys_does_not_fail_for_a_disk_either() -> None:
    before = "mkdir /var/lib/saltern-master; mount -t tmpfs tmpfs /var/lib/saltern-master"
    done = apart(before, "master.postrm", "purge", after="echo over")

    assert done.stdout.splitlines() == ["over"]


def test_a_purge_follows_no_link_but_the_one_to_its_own_disk() -> None:
    before = """
rmdir /var/lib/saltern/upgrade /var/lib/saltern
mkdir /var/lib/disk /var/lib/others && touch /var/lib/disk/journal.db /var/lib/others/theirs
ln -s /var/lib/disk /var/lib/saltern && ln -s /var/lib/others /var/lib/disk/link"""
    done = apart(before, "agent.postrm", "purge", after="find /var/lib -name 'j*' -o -name 't*'")

    assert done.stdout.splitlines() == ["/var/lib/others/theirs"]


def test_what_cloud_init_made_for_its_token_is_nobody_elses_to_look_into() -> None:
    """dpkg leaves a directory that is there as it is, unless a person said how it shall be."""
    before, after = "chmod 0755 /etc/saltern", "stat --format=%a /etc/saltern"
    override = (
        "mkdir -p /var/lib/dpkg; echo root root 0750 /etc/saltern >/var/lib/dpkg/statoverride"
    )

    assert apart(before, "agent.postinst", "configure", after=after).stdout == "700\n"
    said = f"{before}; {override}"
    assert apart(said, "agent.postinst", "configure", after=after).stdout == "755\n"
    again = apart(before, "agent.postinst", "configure", "0.1.0", after=after).stdout
    assert again == "755\n", "after that it is a person's"


def test_removed_from_a_disk_that_does_not_run_it_is_not_brought_back_at_its_boot() -> None:
    """An upgrade that is under way would install the package again."""
    unit = "/etc/systemd/system/saltern-agent-upgrade.service"
    wants = "/etc/systemd/system/multi-user.target.wants/saltern-agent-upgrade.service"
    before = f"touch /var/lib/saltern/upgrade/order.json {unit}; ln -s {unit} {wants}"
    after = f"ls -d /var/lib/saltern/upgrade/order.json {unit} {wants} 2>/dev/null || true"
    done = apart(before, "agent.prerm", "remove", after=after)

    assert done.stdout == ""
    kept = apart(before, "agent.prerm", "upgrade", "0.2.0", after=after)
    assert len(kept.stdout.splitlines()) == 3, "an upgrade of the package takes none of it"
