"""Traps of the machine: kernel, clock, disk, packages, names. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from saltern_agent.doctor.surroundings import Surroundings
from saltern_agent.doctor.trap import Find, Found, Trap, listed

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
LEAST_FREE: Final = 10.0
"""Percent: below it a kubelet by its defaults (nodefs.available) puts pods out."""
LEAST_INODES: Final = 5.0  # percent; the kubelet's nodefs.inodesFree
LEAST_WATCHES: Final = 8192  # what a small machine of an older kernel has; 4.x's default
FULL: Final = 0.75  # of the inotify instances
Version = tuple[int, int]
CGROUP2_FROM: Final = ((1, 18), (1, 22))
"""Alpha, beta: kubernetes/enhancements 2254; stable in 1.25."""
CGROUP1_UNTIL: Final = (1, 35)  # kubernetes PR 134744
KERNELS: Final = (((1, 32), (4, 19)), ((0, 0), (3, 10)))
"""From which kubelet on which kernel: system-validators; before 1.32 kubeadm took 3.10."""


def _swap(seen: Surroundings) -> Iterator[Found]:
    """The machine swaps: a kubelet refuses to start beside swap unless it is told not to.

    Sources: kubeadm's preflight (Swap), release notes of Kubernetes 1.23
    """
    declared = seen.declared
    if declared.there and (declared.swap or not declared.kubernetes or not declared.failing_swap):
        return
    if seen.swaps:
        yield Found(
            f"swap is on: {listed(list(seen.swaps))}",
            "swapoff -a, and take the lines of type swap out of /etc/fstab"
            + ("" if declared.there else "; Saltern does it itself once the node has a document"),
            bad=declared.there,
        )


def _kernel(seen: Surroundings) -> Iterator[Found]:
    """The kernel is older than this Kubernetes takes.

    Sources: kubernetes/system-validators types_unix.go, kubernetes PR 126595
    """
    version = _version(seen)
    if version is None or seen.kernel is None:
        return
    least = next(kernel for since, kernel in KERNELS if version >= since)
    if seen.kernel < least:
        yield Found(
            f"the kernel is {_dotted(seen.kernel)}; Kubernetes {_dotted(version)} wants "
            f"{_dotted(least)}",
            "boot a newer kernel (on Debian: linux-image-amd64), or take an older "
            "kubernetes.version in the cluster file",
        )


def _cgroup(seen: Surroundings) -> Iterator[Found]:
    """The version of cgroups is one that this kubelet does not know, or knows no more.

    Sources: kubernetes PR 134744, kubernetes/enhancements 2254
    """
    version = _version(seen)
    if version is None or seen.cgroup is None:
        return
    first, beta = CGROUP2_FROM
    if seen.cgroup == 2 and version < beta:
        yield Found(
            f"cgroups are version 2; a kubelet of {_dotted(version)} "
            + ("does not know them" if version < first else "knows them as alpha only"),
            "boot with systemd.unified_cgroup_hierarchy=0 on the kernel's command line",
            bad=version < first,
        )
    if seen.cgroup == 1 and version >= CGROUP1_UNTIL:
        yield Found(
            f"cgroups are version 1; a kubelet of {_dotted(version)} refuses them",
            "boot with systemd.unified_cgroup_hierarchy=1 on the kernel's command line",
        )


def _inotify(seen: Surroundings) -> Iterator[Found]:
    """Little is left of inotify: a kubelet, a `kubectl logs --follow`, systemd itself then fail
    with "too many open files" or "no space left on device".

    Sources: kubespray roles/kubernetes/preinstall (fs.inotify.max_user_instances)
    """
    have = seen.inotify
    if have is None:
        return
    if have.used > have.instances * FULL:
        yield Found(
            f"{have.used} of {have.instances} inotify instances are in use",
            'fs.inotify.max_user_instances: "8192" under sysctls of a group in the cluster file',
        )
    if have.watches < LEAST_WATCHES:
        yield Found(
            f"fs.inotify.max_user_watches is {have.watches}",
            'fs.inotify.max_user_watches: "524288" under sysctls of a group in the cluster file',
        )


def _lsm(seen: Surroundings) -> Iterator[Found]:
    """The kernel's security module keeps containers from their files, or docker from starting
    them: SELinux enforces without a policy for containers, or AppArmor is on and its parser is not
    installed.

    Sources: kubespray roles/kubernetes/preinstall (SELinux), moby/moby daemon/apparmor_default.go
    """
    if seen.selinux:
        yield Found(
            "SELinux enforces",
            "setenforce 0 and SELINUX=permissive in /etc/selinux/config, or install container-"
            "selinux and start docker with selinux-enabled",
            bad=False,
        )
    lacks = seen.programs is not None and "apparmor_parser" not in seen.programs
    if seen.apparmor and lacks and seen.docker:
        yield Found(
            "AppArmor is on and there is no apparmor_parser: docker starts no container",
            "install the package apparmor (a package of the cluster file's resources, or apt-get)",
        )


def _clock(seen: Surroundings) -> Iterator[Found]:
    """Nothing keeps the clock right. Certificates and tokens have times: a node that is off
    refuses what is good, and is refused. In a container the clock is the machine's own affair.

    Sources: kubespray preinstall/tasks/0081-ntp-configurations.yml; neither kubelet nor kubeadm
    checks it
    """
    if seen.synchronised is False and not seen.container:
        yield Found(
            "the kernel says that its clock is not synchronised",
            "install chrony (apt-get install chrony), or: timedatectl set-ntp true; then chronyc "
            "waitsync",
            bad=False,
        )


def _dpkg(seen: Surroundings) -> Iterator[Found]:
    """dpkg was stopped in the middle: no package can be installed before it has ended its work.

    Sources: dpkg(1), "dpkg was interrupted, you must manually run dpkg --configure -a"
    """
    if seen.half_installed:
        yield Found(
            f"dpkg has not ended its work: {listed(list(seen.half_installed))}",
            "dpkg --configure -a, then apt-get -f install",
        )


def _disk(seen: Surroundings) -> Iterator[Found]:
    """A file system that the node lives on is nearly full: a kubelet puts pods out, and etcd stops
    for good at its quota or at a full disk.

    Sources: the kubelet's eviction defaults (nodefs.available<10%, nodefs.inodesFree<5%)
    """
    for room in seen.rooms:
        if room.free < LEAST_FREE:
            yield Found(
                f"{room.path} has {room.free:.0f} % left",
                f"make room: du -xsh {room.path}/* | sort -h; docker system df; journalctl "
                "--vacuum-size=200M",
            )
        if room.inodes < LEAST_INODES:
            yield Found(
                f"{room.path} has {room.inodes:.0f} % of its inodes left",
                f"find what has so many files: du --inodes -x {room.path} | sort -n | tail",
            )


def _hostname(seen: Surroundings) -> Iterator[Found]:
    """The host name is none that Kubernetes takes for a node, or has no address. A node of Saltern
    bears the name and the address of the cluster file, so this is told only before it has those.

    Sources: kubeadm's preflight (Hostname), kubespray's assertion on inventory names
    """
    if seen.declared.there:
        return
    if not NAME.match(seen.hostname) or len(seen.hostname) > 253:
        yield Found(
            f"the host name {seen.hostname!r} is no name of small letters, digits and dashes",
            "hostnamectl set-hostname NAME; the cluster file's name of the node counts for "
            "Kubernetes",
            bad=False,
        )
    elif seen.resolves is False:
        yield Found(
            f"the host name {seen.hostname} has no address",
            f"put it into /etc/hosts: echo ADDRESS {seen.hostname} >>/etc/hosts",
            bad=False,
        )


def _version(seen: Surroundings) -> Version | None:
    words = seen.declared.version.split(".")
    return (int(words[0]), int(words[1])) if len(words) == 3 else None


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


MACHINE: Final[tuple[Trap, ...]] = tuple(
    Trap(name, find)
    for name, find in dict[str, Find](
        {
            "swap-on": _swap,
            "kernel-old": _kernel,
            "cgroup-version": _cgroup,
            "inotify-low": _inotify,
            "security-module": _lsm,
            "clock-unsynchronised": _clock,
            "dpkg-interrupted": _dpkg,
            "disk-full": _disk,
            "hostname": _hostname,
        }
    ).items()
)
