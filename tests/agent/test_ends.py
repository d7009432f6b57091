"""When a node's certificates end, read from a disk as others may have left it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID
from saltern_agent.health.values import Expiring
from saltern_agent.host.ends import Ends

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = 24 * 3600
KUBELET = Expiring("/etc/kubernetes/pki/kubelet.crt", renew_before=0)


def pem(days: int) -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "w1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(BEGIN).not_valid_after(BEGIN + timedelta(days=days))
    return made.sign(key, None).public_bytes(serialization.Encoding.PEM)


def place(root: Path) -> Path:
    path = root / KUBELET.path.lstrip("/")
    path.parent.mkdir(parents=True)
    return path


def test_its_end_and_when_it_is_due_for_renewal(tmp_path: Path) -> None:
    path, ends, begin = place(tmp_path), Ends(tmp_path), int(BEGIN.timestamp())
    path.write_bytes(pem(90))
    (seen,) = ends.look([KUBELET])
    assert (seen.not_after, seen.due) == (begin + 90 * DAY, begin + 60 * DAY)
    (seen,) = ends.look([Expiring(KUBELET.path, renew_before=DAY)])
    assert seen.due == begin + 89 * DAY


def test_another_certificate_in_its_place_is_read_anew(tmp_path: Path) -> None:
    path, ends = place(tmp_path), Ends(tmp_path)
    path.write_bytes(pem(90))
    (before,) = ends.look([KUBELET])
    new = path.with_suffix(".new")
    new.write_bytes(pem(30))
    new.rename(path)
    (after,) = ends.look([KUBELET])
    assert before.not_after - after.not_after == 60 * DAY


def test_what_is_no_certificate_says_why(tmp_path: Path) -> None:
    path, ends = place(tmp_path), Ends(tmp_path)
    assert ends.look([KUBELET])[0].why == "no such file or directory"
    path.write_bytes(b"no certificate")
    assert ends.look([KUBELET])[0].why == "it holds no certificate"
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert "symbolic link" in ends.look([KUBELET])[0].why
    path.unlink()
    os.mkfifo(path)
    assert ends.look([KUBELET])[0].why == "it is no file"
