"""A node reads itself: what is secret stays, what fails hides nothing, and all of it has bounds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

import pytest
from saltern_agent.reading import places
from saltern_agent.reading.pages import MOST_BYTES, no_reading, reading_pages
from saltern_agent.reading.read import read_node
from saltern_agent.reading.secret import why_secret
from saltern_protocol.messages import MAX_MESSAGE, encode, from_node
from saltern_protocol.reading import MAX_PAGES, AnyFact, PathFact, UnitFact, Unread
from saltern_states.ports import HostError
from saltern_states.testing import FakeHost


def no_program(_pid: int) -> str:
    return ""


def paths(facts: tuple[AnyFact, ...]) -> dict[str, PathFact]:
    return {one.path: one for one in facts if isinstance(one, PathFact)}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/etc/kubernetes/pki/sa.key", ""),
        ("/srv/kubernetes/known_tokens.csv", ""),
        ("/etc/kubernetes/join-token", ""),
        ("/x", "-----BEGIN EC PRIVATE KEY-----\n"),
        ("/x", "-----BEGIN PRIVATE KEY-----\n"),
        ("/x", "users:\n- user:\n    client-key-data: LS0t\n"),
        ("/x", "    token: abc\n"),
        ("/x", '{"token": "abc"}'),
        ("/x", "password: hunter2\n"),
        ("/x", "DB_PASSWORD=hunter2\n"),
        ("/x", 'Environment="AWS_SECRET_ACCESS_KEY=abc"\n'),
        ("/x", "- name: DB_PASSWORD\n  value: hunter2\n"),
        ("/x", '- name: "API_TOKEN"\n  value: "t"\n'),
        ("/x", "ExecStart=/b --token=abc\n"),
        ("/x", "ExecStart=/b --token abc\n"),
        ("/x", "HTTPS_PROXY=http://me:pass@proxy:3128\n"),
        ("/x", '{"auths": {"registry.example": {"auth": "eA=="}}}'),
        ("/x", "kubeadm join --discovery abcdef.0123456789abcdef\n"),
        ("/x", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrIn0.x\n"),
        ("/x", "kind: EncryptionConfiguration\nresources: []\n"),
        ("/x", "DB_PASS=hunter2\n"),
        ("/x", "password: |\n  hunter2\n"),
        ("/x", "password:\n  hunter2\n"),
        ("/x", "args:\n- --password\n- hunter2\n"),
        ("/x", "args: ['--password', 'hunter2']\n"),
        ("/x", "Authorization: Bearer abc\n"),
        ("/etc/docker/key.json", ""),
        ("/x", '{"crv":"P-256","d":"x","kty":"EC"}'),
        ("/x", "psk: Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6MTIz\n"),
        ("/x", "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcdef"),
        (
            "/etc/containerd/config.toml",
            '  [x.registry.configs."r".auth]\n  auth = "dXNlcjpwYXNz"\n',
        ),
        ("/etc/containerd/config.toml", 'Authorization = ["Basic dXNlcjpwYXNz"]\n'),
        ("/etc/docker/daemon.json", '{"HttpHeaders": {"Authorization": "Basic dXNlcjpwYXNz"}}'),
        ("/x", "DB_PWD=hunter2\n"),
        ("/x", "bindpw: hunter2\n"),
        ("/x", "STORE_ENCRYPTION_KEY=9f86d081884c7d65\n"),
        ("/x", 'Environment="PRIVATE_KEY=abc123"\n'),
        ("/x", "env:\n- name: STORE_KEY\n  value: abc\n"),
        ("/x", f"key: {'0a' * 32}\n"),
        ("/x", f"--certificate-key {'0a' * 32}\n"),
    ],
)
def test_what_is_secret_stays_on_the_node(path: str, text: str) -> None:
    assert why_secret(path, text)


@pytest.mark.parametrize(
    "text",
    [
        "--token-auth-file=/srv/kubernetes/known_tokens.csv\n",
        "- --service-account-signing-key-file=/etc/kubernetes/pki/sa.key\n",
        "automountServiceAccountToken: false\n",
        "client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n",
        "enable-bootstrap-token-auth=true\n",
        "tokenFile: /var/run/token\n",
        "secretName: web\n",
        "bypass-proxy=/x\n",
        "passive: yes\n",
        "tlsPrivateKeyFile: /var/lib/kubelet/pki/kubelet.key\n",
        "--tls-private-key-file=/x\n- --client-key=/x\n",
        "tolerations:\n- key: CriticalAddonsOnly\n  operator: Exists\n",
        "--authorization-mode=Node,RBAC\n- --enable-bootstrap-token-auth=true\n",
        "PWD=/root\nSSL_KEY_FILE=/etc/x\n",
        "auth: true\nauthentication:\n  anonymous:\n    enabled: false\n",
        "- --oidc-token\n- --other\n",
        "volumes:\n- secret:\n    secretName: web\n",
        "authorization:\n  mode: Webhook\n",
        "controllers: '*,bootstrapsigner,tokencleaner'\n",
        "proxy: http://proxy.example:3128\n",
        f"image: registry.example:5000/web:1@sha256:{'0a' * 32}\n",
        "--config=/var/lib/a-rather-long-path-of-somebodys/kubernetes-configuration/v1/x\n",
    ],
)
def test_what_only_names_a_secret_is_told(text: str) -> None:
    assert why_secret("/etc/kubernetes/manifests/a.yaml", text) == ""


@pytest.mark.parametrize(
    "part",
    [*("a-", "a", "pass", "name: ", "--a-", "://", "eyJ", "token:\n ", "A1a", "\n", " ", "a.a_")],
)
def test_no_text_takes_long_to_look_at(part: str) -> None:
    texts = [
        part * (16_000 // len(part)),
        f"name:{part * 3000}",
        f"--{part * 3000}=",
        f"password{part * 3000}",
    ]
    began = time.process_time()

    for text in texts:
        why_secret("/x", text)

    assert time.process_time() - began < 2


def test_of_a_secret_neither_text_nor_hash_is_told() -> None:
    host = FakeHost()
    host.files.put_file("/etc/kubernetes/admin.conf", b"token: hunter2\n", 0o600)

    found = paths(read_node(host, no_program))["/etc/kubernetes/admin.conf"]

    assert (found.text, found.sha256, found.why) == (
        None,
        "",
        "secret: it holds a token or password",
    )
    assert (found.mode, found.owner, found.size) == (0o600, "root", 15)


def test_of_a_folder_of_keys_only_the_names_are_told() -> None:
    host = FakeHost()
    host.files.put_file("/etc/kubernetes/pki/ca.crt", b"not even this")

    found = paths(read_node(host, no_program))

    assert found["/etc/kubernetes/pki"].names == ("ca.crt",)
    assert "/etc/kubernetes/pki/ca.crt" not in found


def test_nothing_outside_the_fixed_places_is_read() -> None:
    host = FakeHost()
    host.files.put_file("/etc/shadow", b"root:x\n")
    host.files.put_file("/etc/docker/certs.d/x/ca.crt", b"deep")
    host.files.put_file("/root/.kube/config", b"x")

    found = paths(read_node(host, no_program))

    assert set(found) == {"/etc/docker"}
    assert found["/etc/docker"].names == ("certs.d",)


def test_what_is_no_file_is_not_followed_or_opened() -> None:
    host = FakeHost()
    host.files.put_directory("/etc/docker")
    host.files.put_symlink("/etc/docker/daemon.json")
    host.files.put_other("/etc/docker/pipe")

    found = paths(read_node(host, no_program))

    assert [found[f"/etc/docker/{name}"].type for name in ("daemon.json", "pipe")] == [
        "symlink",
        "other",
    ]


class Broken:
    """A port that answers nothing."""

    def __getattr__(self, name: str) -> NoReturn:
        raise HostError(f"cannot {name}: it is broken")


@pytest.mark.parametrize(
    "port", ["files", "units", "sysctls", "modules", "packages", "links", "swaps", "rules"]
)
def test_one_port_that_fails_hides_no_other(port: str) -> None:
    host = FakeHost()
    host.files.put_file("/etc/docker/daemon.json", b"{}")
    host.units.install("docker.service")
    setattr(host, port, Broken())

    facts = read_node(host, no_program)

    assert any(isinstance(one, Unread) and "broken" in one.why for one in facts)
    if port != "files":
        assert paths(facts)["/etc/docker/daemon.json"].text == "{}"
    if port not in ("units", "files"):
        assert [one.unit for one in facts if isinstance(one, UnitFact)] == ["docker.service"]


def test_reading_changes_nothing() -> None:
    host = FakeHost()
    for folder in places.FOLDERS:
        host.files.put_file(f"{folder}/a", b"x")
    before = dict(host.files.nodes)

    read_node(host, no_program)

    assert host.files.nodes == before


def test_a_whole_reading_is_bounded_and_what_is_too_much_is_named() -> None:
    host = FakeHost()
    for folder in places.FOLDERS:
        for number in range(30):
            host.files.put_file(f"{folder}/{number:03}", "€".encode() * 16_000)

    pages = reading_pages(7, read_node(host, no_program))

    assert [page.page for page in pages] == list(range(len(pages)))
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert len(pages) <= MAX_PAGES
    sizes = [len(encode(page)) for page in pages]
    assert max(sizes) < MAX_MESSAGE
    assert sum(sizes) < 2 * MOST_BYTES
    assert [from_node(encode(page)) for page in pages] == list(pages)
    hashes = [
        f.sha256 for page in pages for f in page.facts if isinstance(f, PathFact) and not f.text
    ]
    assert set(hashes) <= {""}, "of what is not told no hash is told"
    full = [f for page in pages for f in page.facts if isinstance(f, Unread) and "full" in f.why]
    assert full


def test_a_crowd_in_a_folder_is_counted() -> None:
    host = FakeHost()
    for number in range(1000):
        host.files.put_file(f"/etc/kubernetes/manifests/{number:04}.yaml", b"x")

    found = paths(read_node(host, no_program))["/etc/kubernetes/manifests"]

    assert (len(found.names), found.more) == (200, 800)


def test_an_empty_reading_and_a_refusal_are_one_page() -> None:
    assert [page.last for page in reading_pages(1, ())] == [True]
    assert no_reading(1, "no\x1b[2J").why == "no\\x1b[2J"


def test_the_program_of_a_unit_is_told_where_it_stands_there_yet() -> None:
    host = FakeHost()
    host.files.put_file("/usr/sbin/dockerd", b"one", 0o755)
    host.units.install("docker.service", "[Service]\nExecStart=/usr/sbin/dockerd\n[Install]\n")
    host.units.state("docker.service")
    host.units.start("docker.service")

    def program(_pid: int) -> str:
        return "/usr/sbin/dockerd"

    def unit(facts: tuple[AnyFact, ...]) -> UnitFact:
        return next(one for one in facts if isinstance(one, UnitFact))

    assert unit(read_node(host, program)).program == "/usr/sbin/dockerd"
    host.files.put_file(Path("/usr/sbin/dockerd"), b"another", 0o755)
    assert unit(read_node(host, program)).program == ""
