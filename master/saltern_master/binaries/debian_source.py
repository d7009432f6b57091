"""Kubernetes 1.20.2 built from Debian's source package, for where the internet is not reached.

    CACHE/kubernetes/VERSION/        CACHE is ~/.cache/saltern; all of it can be made again
        bin/COMPONENT                done: static, runs, says the version; lands by rename
        build.log                    what the build's programs said, last run
        .lock                        held while one component is built; the others wait for it
        work/                        goes when every component is done
            apt/                     the source package            (55 MB)
            gopath/ gocache/ home/   unpacked tree, Go's cache     (2 GB)

Facts (seen on Debian 12, Go 1.19, two cores): the tree builds in GOPATH mode only; the one
generated file that it lacks is the OpenAPI definitions, which kube-apiserver alone needs, and
openapi-gen, a program of the same tree, makes it in 5 s. kubelet 160 s and 1.3 GB of memory,
kube-controller-manager 43 s, the others 3 to 20 s each.
Laws:
* a component in bin/ is finished and checked; whoever needs only one need not wait for others;
* two who build at once share the work, one component at a time;
* a build that was interrupted goes on where it was: what is there is not made again;
* nothing but the source package comes from outside, and the build itself reaches no network.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType

from saltern_master.binaries import apt_source, openapi
from saltern_master.binaries.build_tools import Steps, missing_tools, sweep, take_turns
from saltern_master.binaries.check import check_program
from saltern_master.binaries.components import COMPONENTS, BinaryError, check_components

PACKAGE = "kubernetes"
PACKAGE_VERSIONS = MappingProxyType({"1.20.2": "1.20.5+really1.20.2-1.1+deb12u1"})
"""Debian's version of the source package that holds a Kubernetes version."""

TREE = "k8s.io/kubernetes"
MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where one version is built."""

    home: Path
    version: str

    @property
    def programs(self) -> Path:
        """Where finished components land."""
        return self.home / "bin"

    @property
    def work(self) -> Path:
        """What is needed only while building."""
        return self.home / "work"

    @property
    def tree(self) -> Path:
        """The unpacked source, where GOPATH wants it."""
        return self.work / "gopath/src" / TREE

    def environment(self, go: Path) -> dict[str, str]:
        """The build's whole environment: nothing of the caller's leaks in."""
        return {
            "PATH": f"{go.parent}:/usr/bin:/bin",
            "HOME": str(self.work / "home"),
            "GOPATH": str(self.work / "gopath"),
            "GOCACHE": str(self.work / "gocache"),
            "GOTMPDIR": str(self.work / "home"),
            "GO111MODULE": "off",  # in module mode: "updates to go.mod needed"
            "GOPROXY": "off",
            "GOFLAGS": "",
            "CGO_ENABLED": "0",  # static programs
            "LC_ALL": "C.UTF-8",
        }


def workshop(cache: Path, version: str) -> Workshop:
    """Where a version is built and its components land; BinaryError when it cannot be built."""
    if version not in PACKAGE_VERSIONS:
        raise BinaryError(
            f"cannot build {version}: Debian's source package holds {', '.join(PACKAGE_VERSIONS)}; "
            f"run: saltern binaries add {version} (the official release), or with --from DIR"
        )
    return Workshop(home=cache / "kubernetes" / version, version=version)


def build(shop: Workshop, components: Iterable[str], steps: Steps) -> dict[str, Path]:
    """Give finished components, building what is not there yet; the kubelet first."""
    wanted = check_components(components)
    lock = shop.home / ".lock"
    if _unfinished(shop, wanted):
        go = missing_tools()
        shop.home.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            work = partial(_build_one, shop, name, go, steps)
            take_turns(lock, (shop.programs / name).is_file, work, steps)
    if shop.work.is_dir() and not _unfinished(shop, COMPONENTS):
        take_turns(lock, lambda: not shop.work.is_dir(), partial(rmtree, shop.work), steps)
    return {name: shop.programs / name for name in wanted}


def linker_flags(version: str) -> str:
    """Strip, and say the version as the project's own build does. Pure.

    Facts: hack/lib/version.sh and hack/lib/golang.sh of 1.20.
    """
    major, minor, _ = version.split(".", 2)
    said = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "archive",
    }
    packages = [f"{TREE}/vendor/k8s.io/{name}" for name in ("component-base", "client-go/pkg")]
    settings = [f"-X {at}/version.{key}={value}" for at in packages for key, value in said.items()]
    return " ".join(["-s", "-w", *settings])


def _build_one(shop: Workshop, component: str, go: Path, steps: Steps) -> None:
    _unpack(shop, steps)
    log = shop.home / "build.log"
    environment = shop.environment(go)
    if component == "kube-apiserver":
        openapi.generate(shop.tree, go, environment, log, steps)
    shop.programs.mkdir(exist_ok=True)
    sweep(shop.programs)
    unfinished = shop.programs / f".{component}-{secrets.token_hex(4)}.unfinished"
    # fmt: off
    argv = [str(go), "build", "-trimpath", "-ldflags", linker_flags(shop.version),
            "-o", str(unfinished), f"./cmd/{component}"]
    # fmt: on
    steps.run(f"build {component}", argv, shop.tree, environment, log, seconds=45 * MINUTES)
    check_program(unfinished, component, shop.version)
    unfinished.rename(shop.programs / component)
    steps.say(f"{component}: {(shop.programs / component).stat().st_size / 1e6:.0f} MB")


def _unpack(shop: Workshop, steps: Steps) -> None:
    """Fetch and unpack the source, unless it was done before."""
    (shop.work / "home").mkdir(parents=True, exist_ok=True)
    if shop.tree.is_dir():
        return
    version = PACKAGE_VERSIONS[shop.version]
    with steps.timed(f"fetch source package {PACKAGE} {version}"):
        description = apt_source.fetch_source(PACKAGE, version, shop.work / "apt")
    unfinished = shop.tree.with_name("unpacking")
    rmtree(unfinished.parent, ignore_errors=True)  # dpkg-source also leaves its own scratch there
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    argv = ["/usr/bin/dpkg-source", "--no-copy", "-x", str(description), str(unfinished)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(shop.work / "home"), "LC_ALL": "C.UTF-8"}
    log = shop.home / "build.log"
    steps.run("unpack it", argv, shop.work, environment, log, seconds=5 * MINUTES)
    unfinished.rename(shop.tree)


def _unfinished(shop: Workshop, wanted: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in wanted if not (shop.programs / name).is_file())
