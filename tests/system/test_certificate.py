"""certificate on a real disk, with a master's own authorities; openssl judges what was made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from saltern_states.body import Resource, make_body
from saltern_states.certificate import KIND, Certificate

from tests.system.disk_node import converge, differences, snapshot, take_back
from tests.system.key_node import key_node, master_below

pytestmark = pytest.mark.system

DAY = 86400
PKI = "etc/kubernetes/pki"


def openssl(*words: str | Path, data: bytes = b"") -> str:
    """Ask openssl; what it says on both of its ways."""
    command = ["/usr/bin/openssl", *map(str, words)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=20)
    return (done.stdout + done.stderr).decode()


def test_it_is_made_renewed_mended_and_taken_back(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / PKI).mkdir(parents=True)
    (top / PKI / "theirs.key").write_text("theirs")
    master = master_below(tmp_path / "master")
    ca = master.given.of["kubernetes"].pem
    want = Certificate(
        path=f"/{PKI}/apiserver.crt",
        key=f"/{PKI}/apiserver.key",
        issuer="kubernetes",
        common_name="kube-apiserver",
        organizations=("system:nodes",),
        dns=("kubernetes", "kubernetes.default.svc"),
        addresses=("10.96.0.1", "fd00::1"),
        usages=("server",),
        days=30,
        ca=ca,
    )
    master.body = make_body((Resource(id="pki/apiserver", spec=want),))
    node, bare = key_node(top, tmp_path, master), snapshot(top)
    files = {f"{PKI}/apiserver.crt", f"{PKI}/apiserver.key"}
    key, crt = top / PKI / "apiserver.key", top / PKI / "apiserver.crt"

    assert converge(KIND, node, want) == [
        f"make key {want.key} (0600 root:root): there is none",
        f"request {want.path} from authority kubernetes: there is none",
    ]

    whole = snapshot(top)
    assert differences(bare, whole) == files
    assert [whole[name][:3] for name in sorted(files)] == [
        ("-rw-r--r--", 0, 0),
        ("-rw-------", 0, 0),
    ]
    judged_by_openssl(tmp_path, ca, crt, key, master.now)

    key.chmod(0o640)
    assert converge(KIND, node, want) == [f"set {want.key} to 0600 root:root (was 0640 root:root)"]
    assert snapshot(top) == whole
    master.now += 21 * DAY
    assert converge(KIND, node, want) == [
        f"request {want.path} from authority kubernetes: it ends on 2027-02-14"
    ]
    assert differences(whole, snapshot(top)) == {f"{PKI}/apiserver.crt"}
    assert take_back(KIND, node, want) == [f"remove {want.path}", f"remove {want.key}"]
    assert snapshot(top) == bare


def judged_by_openssl(tmp_path: Path, ca: str, crt: Path, key: Path, now: int) -> None:
    (tmp_path / "ca.crt").write_text(ca)
    verify = ("verify", "-x509_strict", "-attime", str(now + DAY), "-CAfile", tmp_path / "ca.crt")
    assert openssl(*verify, "-purpose", "sslserver", crt) == f"{crt}: OK\n"
    assert "unsuitable certificate purpose" in openssl(*verify, "-purpose", "sslclient", crt)
    asked = ("-verify_hostname", "kubernetes.default.svc")
    assert openssl(*verify, *asked, crt) == f"{crt}: OK\n"
    assert "hostname mismatch" in openssl(*verify, "-verify_hostname", "evil", crt)
    assert openssl(*verify, "-verify_ip", "fd00::1", crt) == f"{crt}: OK\n"
    assert openssl("x509", "-noout", "-pubkey", "-in", crt) == openssl(
        "pkey", "-pubout", "-in", key
    )
    shown = openssl("x509", "-noout", "-text", "-in", crt)
    assert "Subject: O = system:nodes, CN = kube-apiserver" in shown
    assert "CA:FALSE" in shown
    assert "TLS Web Server Authentication\n" in shown
    assert "IP Address:10.96.0.1, IP Address:FD00:0:0:0:0:0:0:1" in shown


def test_what_is_not_in_its_body_is_not_signed(tmp_path: Path) -> None:
    top = tmp_path / "root"
    (top / PKI).mkdir(parents=True)
    master = master_below(tmp_path / "master")
    want = msgspec.structs.replace(KIND.example, ca=master.given.of["kubernetes"].pem)
    node = key_node(top, tmp_path, master)

    make_key, ask = KIND.plan(node, want)
    KIND.apply(node, make_key)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="current document has no certificate of that name"):
        KIND.apply(node, ask)  # type: ignore[arg-type]

    assert not (top / PKI / "kubelet.crt").exists()
