"""pki: the authorities' certificates and the node's own, in the layout of kubeadm.

    /etc/kubernetes/pki/ca.crt, kubelet.*, kubelet-server.*, kube-proxy.*           every node
    … apiserver.*, apiserver-kubelet-client.*, apiserver-etcd-client.*,             control plane
      front-proxy-ca.crt, front-proxy-client.*, controller-manager.*, scheduler.*,
      sa.pub, sa.key, etcd/ca.crt, etcd/server.*, etcd/peer.*

Names, groups and usages are those of the project's "PKI certificates and requirements" and of
kubeadm of 1.20: a client of group system:masters may do anything, and the API server is one to
its kubelets, since no role is bound to it by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Literal

from saltern_states.body import Resource
from saltern_states.certificate import Certificate
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.secret import Secret

from saltern_master.compile.node import Control, NodeInput, resource
from saltern_master.compile.pki import TOKEN_KEY, SealedSecret

PART = "pki"
PKI = "/etc/kubernetes/pki"
AUTHORITY = f"{PKI}/ca.crt"
ETC = "kubelet/etc"
"""The resource that makes /etc/kubernetes."""

Issuer = Literal["kubernetes", "etcd", "front-proxy"]
LOOPBACK = "127.0.0.1"
LACKING = SealedSecret(generation=1, blob="0" * 64)
"""Stands for a secret that was not sealed yet, which compile tells beside all other faults."""


def certificates(given: NodeInput) -> tuple[Resource, ...]:
    """Give what the node knows the cluster by, and what it is known by."""
    control = given.control
    if control is None:
        return ()
    directory = resource(PART, "directory", Directory(path=PKI), [ETC])
    found = [directory, *_of_every_node(given, control, directory.id)]
    if given.runs_control_plane:
        found.extend(_of_control_plane(given, control, directory.id))
    return tuple(found)


def _of_every_node(given: NodeInput, control: Control, after: str) -> Iterator[Resource]:
    name, address = given.node.name, given.node.address
    yield _text("ca.crt", control.pki.kubernetes, after)
    yield _client(control, "kubelet", f"system:node:{name}", after, "system:nodes")
    yield _server(control, "kubelet-server", f"system:node:{name}", (name,), (address,), after)
    yield _client(control, "kube-proxy", "system:kube-proxy", after)


def _of_control_plane(given: NodeInput, control: Control, after: str) -> Iterator[Resource]:
    yield _text("front-proxy-ca.crt", control.pki.front_proxy, after)
    yield _text("sa.pub", control.pki.token_public, after)
    yield _token_key(given, control, after)
    names, addresses = api_names(given, control)
    yield _server(control, "apiserver", "kube-apiserver", names, addresses, after)
    masters = "system:masters"
    kubelet_client = "kube-apiserver-kubelet-client"
    yield _client(control, "apiserver-kubelet-client", kubelet_client, after, masters)
    yield _client(control, "controller-manager", "system:kube-controller-manager", after)
    yield _client(control, "scheduler", "system:kube-scheduler", after)
    yield _client(control, "front-proxy-client", "front-proxy-client", after, issuer="front-proxy")
    etcd_client = "kube-apiserver-etcd-client"
    yield _client(control, "apiserver-etcd-client", etcd_client, after, issuer="etcd")
    directory = resource(PART, "etcd", Directory(path=f"{PKI}/etcd"), [after])
    yield directory
    yield _text("etcd/ca.crt", control.pki.etcd, directory.id)
    yield from (_member(given, control, name, directory.id) for name in ("server", "peer"))


def api_names(given: NodeInput, control: Control) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give the names and the addresses under which the API server of a node is asked."""
    services = IPv4Network(given.network.services)
    names = (
        given.node.name,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{given.domain}",
        "localhost",
    )
    addresses = (str(services[1]), given.node.address, control.endpoint, LOOPBACK)
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(addresses))


def _text(name: str, text: str, after: str) -> Resource:
    return resource(PART, name, File(path=f"{PKI}/{name}", text=text), [after])


def _token_key(given: NodeInput, control: Control, after: str) -> Resource:
    sealed = control.pki.token_keys.get(given.node.name, LACKING)
    spec = Secret(
        path=f"{PKI}/sa.key", secret=TOKEN_KEY, generation=sealed.generation, blob=sealed.blob
    )
    return resource(PART, "sa.key", spec, [after])


def _client(
    control: Control,
    name: str,
    common_name: str,
    after: str,
    group: str = "",
    issuer: Issuer = "kubernetes",
) -> Resource:
    spec = Certificate(
        path=f"{PKI}/{name}.crt",
        key=f"{PKI}/{name}.key",
        issuer=issuer,
        common_name=common_name,
        organizations=(group,) if group else (),
        usages=("client",),
        ca=control.pki.authority(issuer),
    )
    return resource(PART, name, spec, [after])


def _server(
    control: Control,
    name: str,
    common_name: str,
    names: tuple[str, ...],
    addresses: tuple[str, ...],
    after: str,
) -> Resource:
    spec = Certificate(
        path=f"{PKI}/{name}.crt",
        key=f"{PKI}/{name}.key",
        issuer="kubernetes",
        common_name=common_name,
        dns=names,
        addresses=addresses,
        usages=("server",),
        ca=control.pki.kubernetes,
    )
    return resource(PART, name, spec, [after])


def _member(given: NodeInput, control: Control, name: str, after: str) -> Resource:
    """Give a certificate of etcd's: its own gateway asks it as a client with the server's."""
    spec = Certificate(
        path=f"{PKI}/etcd/{name}.crt",
        key=f"{PKI}/etcd/{name}.key",
        issuer="etcd",
        common_name=given.node.name,
        dns=(given.node.name, "localhost"),
        addresses=(given.node.address, LOOPBACK),
        usages=("client", "server"),
        ca=control.pki.etcd,
    )
    return resource(PART, f"etcd/{name}", spec, [after])
