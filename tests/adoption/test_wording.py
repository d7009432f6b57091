"""A node's own settings in the words of a cluster file, and what it has none for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.adopt.expansions import otherwise
from saltern_master.adopt.wording import MOST_PODS, images_of, told_version, worded
from saltern_master.cluster.model import Docker, Logging
from saltern_protocol.reading import PackageFact, PathFact

from tests.adoption.nodes import NODES, facts_of, survey_of

DAEMON = "/etc/docker/daemon.json"
CONFIG = "/var/lib/kubelet/config.yaml"
UNIT = "/etc/systemd/system/kubelet.service"


def paths(**texts: str) -> dict[str, PathFact]:
    return {path: PathFact(path=path, type="file", text=text) for path, text in texts.items()}


@pytest.mark.parametrize(
    ("options", "wanted", "unsaid"),
    [
        ({}, Docker(live_restore=False), ()),
        ({"live-restore": True, "bridge": "cbr0", "iptables": False}, Docker(), ()),
        (
            {"exec-opts": ["native.cgroupdriver=systemd"], "live-restore": True},
            Docker(cgroup_driver="systemd"),
            (),
        ),
        (
            {"log-opts": {"max-size": "5m", "max-file": "7"}, "live-restore": True},
            Docker(logging=Logging(max_size="5m", max_files=7)),
            (),
        ),
        (
            {"runtimes": {"kata": {"path": "/opt/kata"}}, "default-runtime": "kata"},
            Docker(live_restore=False, runtimes={"kata": "/opt/kata"}, default_runtime="kata"),
            (),
        ),
        (
            {"live-restore": True, "bip": "10.1.0.1/24", "data-root": "/srv"},
            Docker(),
            ("docker's option bip", "docker's option data-root"),
        ),
        (
            {"log-driver": "journald", "bridge": "none", "live-restore": True},
            Docker(),
            ("docker's option log-driver=journald", "docker's option bridge=none"),
        ),
        (
            {
                "live-restore": True,
                "exec-opts": ["isolation=process"],
                "log-opts": {"compress": "true", "max-file": "9" * 5000},
                "runtimes": {"kata": {"path": "/opt/kata", "runtimeArgs": ["--debug"]}},
            },
            Docker(runtimes={"kata": "/opt/kata"}),
            (
                "docker's option exec-opts isolation=process",
                "docker's option log-opts compress=true",
                f"docker's option log-opts max-file={'9' * 5000}",
                "docker's option runtimes kata: runtimeArgs",
            ),
        ),
        (
            {"live-restore": True, "log-opts": ["a"], "exec-opts": {"b": 1}},
            Docker(),
            (
                'docker\'s option exec-opts {"b": 1}',
                'docker\'s option log-opts ["a"]=null',
            ),
        ),
        (
            {"exec-opts": ["native.cgroupdriver=else"]},
            Docker(),
            (f"{DAEMON}: Invalid enum value 'else' - at `$.cgroupDriver`",),
        ),
    ],
)
def test_dockers_options(
    options: dict[str, object], wanted: Docker, unsaid: tuple[str, ...]
) -> None:
    found = worded(paths(**{DAEMON: json.dumps(options)}))

    assert (found.docker, found.unsaid) == (wanted, unsaid)


@pytest.mark.parametrize(
    ("text", "kubelet", "unsaid"),
    [
        ("maxPods: 60\nkind: KubeletConfiguration\n", {"maxPods": 60}, ()),
        ("- a\n", {}, (f"{CONFIG}: it is no YAML map of the plain sort",)),
        ("a: &b 1\n", {}, (f"{CONFIG}: it is no YAML map of the plain sort",)),
        ('a: "\\UFFFFFFFF"\n', {}, (f"{CONFIG}: it is no YAML map of the plain sort",)),
        ("", {}, ()),
        ("staticPodPath: /etc/kubernetes/manifests/\n", {}, ()),
        (
            "staticPodPath: /srv/pods\n",
            {},
            ("the static pods in /srv/pods, a place that is not read",),
        ),
    ],
)
def test_the_kubelets_configuration(
    text: str, kubelet: dict[str, object], unsaid: tuple[str, ...]
) -> None:
    found = worded(paths(**{CONFIG: text}))

    assert (found.kubelet, found.unsaid) == (kubelet, unsaid)


def test_of_a_crowd_of_pods_some_are_read_and_the_rest_is_counted() -> None:
    texts = {f"/etc/kubernetes/manifests/{number:04}.yaml": "- a\n" for number in range(1000)}

    found = worded(paths(**texts))

    assert found.pods == ()
    assert len(found.unsaid) == MOST_PODS + 1
    assert found.unsaid[-1] == "960 more static pods than are read"


def test_a_kubelets_flags_that_a_cluster_file_has_no_word_for() -> None:
    unit = "[Service]\nExecStart=/b --node-ip=10.0.0.1 --v=4 --pod-manifest-path=/srv/pods\n"

    assert worded(paths(**{UNIT: unit})).unsaid == (
        "the kubelet's flag --v=4",
        "the kubelet's flag --pod-manifest-path=/srv/pods",
    )


def test_a_kubelets_configuration_is_read_where_its_flags_say_that_it_is() -> None:
    unit = "[Service]\nExecStart=/b --config=/etc/kubernetes/kubelet-config.yaml\n"
    there = {"/etc/kubernetes/kubelet-config.yaml": "maxPods: 60\n", CONFIG: "maxPods: 5\n"}
    found = worded(paths(**{UNIT: unit, **there}))
    assert (found.kubelet, found.unsaid) == ({"maxPods": 60}, ())

    unit = "[Service]\nExecStart=/b --config=/opt/kubelet.yaml\n"
    found = worded(paths(**{UNIT: unit, **there}))
    assert found.kubelet == {}
    assert found.unsaid == ("the kubelet's configuration in /opt/kubelet.yaml, which is not told",)


def test_what_nobody_could_read_of_a_kubelets_flags_is_named() -> None:
    secret = PathFact(path="", type="file", why="secret: it holds a token")
    spare = "/etc/default/kubelet"
    unit = f"[Service]\nEnvironmentFile=-{spare}\nExecStart=/b $EXTRA\n"
    drop_in = f"{UNIT}.d/10-more.conf"

    assert worded(paths(**{UNIT: unit})).unsaid == (), "it does without"
    assert worded(paths(**{UNIT: unit}) | {spare: secret, drop_in: secret}).unsaid == (
        f"what the kubelet's unit reads of {drop_in}",
        f"what the kubelet's unit reads of {spare}",
    )
    for text in ("[Service]\nExecStart=/b --v=2\nExecStart=/c\n", "[Service]\n"):
        assert worded(paths(**{UNIT: text})).unsaid == (
            "the kubelet's flags: its unit has no one command that can be read",
        )


def test_of_two_drop_ins_of_one_name_the_administrators_counts() -> None:
    name = "kubelet.service.d/10-kubeadm.conf"
    found = worded(
        paths(
            **{
                UNIT: "[Service]\nExecStart=/b $MORE\n",
                f"/etc/systemd/system/{name}": "[Service]\nEnvironment=MORE=--v=1\n",
                f"/usr/lib/systemd/system/{name}": "[Service]\nEnvironment='MORE=--v=2 --x=3'\n",
                f"/etc/systemd/system/{name}.bak": "[Service]\nEnvironment=MORE=--v=4\n",
            }
        )
    )

    assert found.unsaid == ("the kubelet's flag --v=1",)


def test_a_drop_in_of_a_package_counts_and_one_of_the_administrators_after_it() -> None:
    unit = "[Service]\nExecStart=/b\n"
    found = worded(
        paths(
            **{
                "/usr/lib/systemd/system/kubelet.service": unit,
                "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": (
                    "[Service]\nExecStart=\nExecStart=/b --v=2 $MORE\n"
                ),
                "/etc/systemd/system/kubelet.service.d/20-more.conf": (
                    "[Service]\nEnvironment=MORE=--x=1\n"
                ),
            }
        )
    )

    assert found.unsaid == ("the kubelet's flag --v=2", "the kubelet's flag --x=1")


@pytest.mark.parametrize(
    ("version", "wanted"),
    [("1.20.2-00", "1.20.2"), ("1.30.1-1.1", "1.30.1"), ("5:1.2", ""), ("", "")],
)
def test_the_version_of_kubernetes_by_its_package(version: str, wanted: str) -> None:
    assert told_version((PackageFact(name="kubelet", version=version),)) == wanted


def test_the_version_of_kubernetes_by_its_pods() -> None:
    facts = tuple(one for one in facts_of(NODES["kubeadm"]()) if not isinstance(one, PackageFact))

    assert told_version(facts) == "1.20.2"


@pytest.mark.parametrize(
    "pod", [{}, {"spec": 1}, {"spec": {"containers": [1, {}, {"image": 2}]}}, {"spec": None}]
)
def test_the_images_of_what_is_no_pod(pod: dict[str, object]) -> None:
    assert list(images_of(pod)) == []


@pytest.mark.parametrize("name", ["guide", "kubeadm"])
def test_what_the_expansions_would_change_is_named(name: str) -> None:
    view = survey_of(NODES[name]())
    files = {one.path: one for one in view.facts if isinstance(one, PathFact)}

    told = "\n".join(otherwise(view, files))

    assert "/etc/docker/daemon.json: other bytes" in told
    assert "docker.service: started anew" in told


def test_a_machine_without_docker_is_told_nothing_of_it() -> None:
    view = survey_of(NODES["untouched"]())

    assert list(otherwise(view, {})) == []


@given(st.text(), st.text(), st.text())
def test_no_text_makes_it_fail(daemon: str, config: str, unit: str) -> None:
    files = paths(
        **{DAEMON: daemon, CONFIG: config, UNIT: unit, "/etc/kubernetes/manifests/a.yaml": config}
    )

    assert list(otherwise(survey_of(NODES["untouched"]()), files))
