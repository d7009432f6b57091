"""What is allowed, as tables; and laws of containment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_protocol.errors import MalformedError
from saltern_protocol.policy import (
    Allow,
    Claim,
    Policy,
    decode_policy,
    encode_policy,
    is_inside,
    is_within,
    matches,
    outside,
)
from saltern_protocol.testing import POLICY

HASH = "ab" * 32
OTHER = "cd" * 32
ALLOW = Allow(
    paths=("/etc/docker",),
    units=("docker.service",),
    sysctls=("net.ipv4.*",),
    chains=("nat/SALTERN-*",),
    links=("cbr*",),
    routes=("10.10.0.0/16", "fd00::/8"),
    modules=("br_netfilter",),
    packages=("docker.io",),
    artifacts=(HASH,),
    images=(),
    swap=True,
    releases=(HASH,),
)


def policy(allow: Allow) -> Policy:
    return replace(POLICY, classes={"worker": allow})


@pytest.mark.parametrize(
    ("claim", "allowed"),
    [
        (Claim("path", "/etc/docker/daemon.json"), True),
        (Claim("path", "/etc/docker"), True),
        (Claim("path", "/etc/docker2"), False),
        (Claim("unit", "docker.service"), True),
        (Claim("unit", "docker.socket"), False),
        (Claim("sysctl", "net.ipv4.ip_forward"), True),
        (Claim("sysctl", "kernel.core_pattern"), False),
        (Claim("chain", "nat/SALTERN-POSTROUTING"), True),
        (Claim("chain", "filter/SALTERN-FORWARD"), False),
        (Claim("link", "cbr0"), True),
        (Claim("link", "eth0"), False),
        (Claim("route", "10.10.1.0/24"), True),
        (Claim("route", "fd00:1::/64"), True),
        (Claim("route", "0.0.0.0/0"), False),
        (Claim("module", "br_netfilter"), True),
        (Claim("module", "nbd"), False),
        (Claim("package", "docker.io"), True),
        (Claim("package", "openssh-server"), False),
        (Claim("artifact", HASH), True),
        (Claim("artifact", OTHER), False),
        (Claim("image", HASH), False),
        (Claim("swap", "off"), True),
        (Claim("release", HASH), True),
        (Claim("release", OTHER), False),
    ],
    ids=str,
)
def test_each_kind_of_claim(claim: Claim, allowed: bool) -> None:
    refused = () if allowed else (claim,)
    assert outside(policy(ALLOW), "worker", [claim]) == refused
    assert outside(policy(ALLOW), "control-plane", [claim]) == (claim,), "an unknown class"


def test_what_is_not_said_is_refused_but_for_hashes() -> None:
    any_hash = [Claim("artifact", HASH), Claim("image", HASH)]
    rest = [
        Claim("chain", "nat/X"),
        Claim("link", "x"),
        Claim("module", "x"),
        Claim("package", "x"),
        Claim("path", "/x"),
        Claim("release", HASH),
        Claim("route", "10.0.0.0/8"),
        Claim("swap", "off"),
        Claim("sysctl", "a.b"),
        Claim("unit", "x.service"),
    ]
    assert outside(policy(Allow()), "worker", any_hash + rest) == tuple(rest)


def test_all_that_is_outside_is_told_sorted_and_once() -> None:
    two = [Claim("unit", "b"), Claim("path", "/b"), Claim("unit", "b"), Claim("path", "/a")]
    assert outside(policy(Allow()), "worker", two) == (
        Claim("path", "/a"),
        Claim("path", "/b"),
        Claim("unit", "b"),
    )


def test_a_claim_is_shown_fit_for_a_terminal() -> None:
    assert str(Claim("path", "/etc/docker/daemon.json")) == "path /etc/docker/daemon.json"
    assert str(Claim("path", "/etc/\x1b[2J")) == "path /etc/\\x1b[2J"


@pytest.mark.parametrize(
    ("path", "root", "inside"),
    [
        ("/etc/docker", "/etc/docker", True),
        ("/etc/docker/a", "/etc/docker", True),
        ("/anything", "/", True),
        ("/", "/", True),
        ("/", "/etc", False),
        ("/etc", "/etc/docker", False),
        ("/etc/docker2", "/etc/docker", False),
        ("/etc/docker/../shadow", "/etc/docker", False),
        ("/etc/docker/./a", "/etc/docker", False),
        ("/etc/docker//a", "/etc/docker", False),
        ("//etc/docker", "/", False),
        ("/etc/docker/", "/etc/docker", False),
        ("etc/docker", "/", False),
        ("", "/", False),
        ("/etc/docker/a\0b", "/etc/docker", False),
        ("/etc/docker/a", "/etc/docker/", False),
        ("/etc/docker/...", "/etc/docker", True),
    ],
)
def test_paths_are_compared_by_components(path: str, root: str, inside: bool) -> None:
    assert is_inside(path, root) is inside


@pytest.mark.parametrize(
    ("name", "glob", "fits"),
    [
        ("kubelet.service", "kubelet*", True),
        ("kubelet", "kubelet*", True),
        ("my-kubelet", "kubelet*", False),
        ("net.ipv4.conf.all.rp_filter", "net.*.rp_filter", True),
        ("aXbXc", "a*b*c", True),
        ("ab", "a*b*c", False),
        ("abab", "*ab", True),
        ("aba", "ab*ba", False),  # head and tail may not share a letter
        ("anything", "*", True),
        ("", "*", True),
        ("a", "?", False),
        ("a", "[a]", False),
        ("A", "a", False),
        ("a\nb", "a", False),
        ("a" * 5000, "*a" * 100 + "b", False),
    ],
)
def test_only_the_star_is_special(name: str, glob: str, fits: bool) -> None:
    assert matches(name, glob) is fits


@pytest.mark.parametrize(
    ("destination", "network", "within"),
    [
        ("10.10.1.0/24", "10.10.0.0/16", True),
        ("10.10.0.0/16", "10.10.0.0/16", True),
        ("10.0.0.0/8", "10.10.0.0/16", False),
        ("10.11.0.0/24", "10.10.0.0/16", False),
        ("10.10.1.7/24", "10.10.0.0/16", False),  # has host bits
        ("10.10.1.0/255.255.255.0", "10.10.0.0/16", False),  # not the usual form
        ("10.10.1.0", "10.10.0.0/16", False),
        ("default", "0.0.0.0/0", False),
        ("0.0.0.0/0", "0.0.0.0/0", True),
        ("::/0", "0.0.0.0/0", False),
        ("fd00:1::/64", "fd00::/8", True),
        ("10.10.1.0/24", "nonsense/9", False),
    ],
)
def test_routes_are_inside_networks(destination: str, network: str, within: bool) -> None:
    assert is_within(destination, network) is within


segments = st.lists(
    st.text("ab.-2", min_size=1, max_size=3).filter(lambda part: part not in {".", ".."}),
    min_size=1,
    max_size=4,
)


@given(segments, segments)
def test_a_root_holds_what_is_below_it_and_nothing_beside_it(
    root: list[str], below: list[str]
) -> None:
    outer = "/" + "/".join(root)
    assert is_inside(f"{outer}/{'/'.join(below)}", outer)
    assert not is_inside(outer, f"{outer}/{'/'.join(below)}")
    assert not is_inside(f"{outer}{below[0]}", outer)


@given(st.text("ab./\0", max_size=8), segments)
def test_a_path_that_leaves_or_has_two_forms_is_never_inside(odd: str, root: list[str]) -> None:
    outer = "/" + "/".join(root)
    parts = odd.split("/")
    plain = not {"", ".", ".."} & set(parts) and "\0" not in odd
    assert is_inside(f"{outer}/{odd}", outer) is plain


@given(st.text("/ab.\0", max_size=8))
def test_a_root_that_would_hold_nothing_is_malformed(root: str) -> None:
    """The pattern of the schema and the comparison agree on what a path is."""
    try:
        encode_policy(policy(Allow(paths=(root,))))
    except MalformedError:
        assert not is_inside(root, root)
    else:
        assert is_inside(root, root)


def test_a_policy_and_back() -> None:
    assert decode_policy(encode_policy(policy(ALLOW))) == policy(ALLOW)


@pytest.mark.parametrize(
    "wrong",
    [
        policy(Allow(paths=("/etc/..",))),
        policy(Allow(units=("",))),
        policy(Allow(routes=("everywhere",))),
        policy(Allow(images=("sha256:" + HASH,))),
        replace(POLICY, classes={"Worker\n": Allow()}),
        replace(POLICY, cluster="../etc"),
        replace(POLICY, version=0),
        replace(POLICY, epoch=2**63),
        replace(POLICY, expires=-1),
    ],
)
def test_a_policy_that_no_node_could_read_is_not_encoded(wrong: Policy) -> None:
    with pytest.raises(MalformedError, match=r"^cannot read a Policy"):
        encode_policy(wrong)
