"""Programs from the official release of the Kubernetes project.

Facts: SITE/vVERSION/bin/linux/ARCHITECTURE/COMPONENT, and beside each program COMPONENT.sha512
(published for 1.12 and later; .sha256 only from 1.16 on: kubernetes/kubernetes#68555).
Laws:
* a program is given out only after its published checksum was compared;
* over https we are not led to http;
* proxies are those of the environment (https_proxy, no_proxy);
* no answer for 30 s is the end, and the error says what to do without the internet.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from saltern_master.binaries.components import BinaryError

SITE = "https://dl.k8s.io"
SILENCE = 30  # seconds
CHUNK = 1024 * 1024
CHECKSUM_BYTES = 1024  # a checksum file is 128 digits, perhaps with a name


@dataclass(frozen=True, slots=True)
class Program:
    """One program of a release, and where it is published."""

    site: str
    version: str
    component: str
    architecture: str

    @property
    def url(self) -> str:
        """Where it is published."""
        return f"{self.site}/v{self.version}/bin/linux/{self.architecture}/{self.component}"


def download(program: Program, target: Path) -> str:
    """Write a checked program to a new file; give its SHA-256. BinaryError else."""
    published = read_checksum(_fetch_text(program, f"{program.url}.sha512"), program.url)
    sha256, sha512 = hashlib.sha256(), hashlib.sha512()
    try:
        with _open(program, program.url) as answer, target.open("xb") as writer:
            while chunk := answer.read(CHUNK):
                sha256.update(chunk)
                sha512.update(chunk)
                writer.write(chunk)
    except (http.client.HTTPException, OSError) as error:
        raise _unreached(program, program.url, error) from error
    if sha512.hexdigest() != published:
        target.unlink()
        raise BinaryError(
            f"cannot use {program.url}: its SHA-512 is {sha512.hexdigest()}, "
            f"published is {published}; try again, and suspect a proxy between"
        )
    return sha256.hexdigest()


def read_checksum(text: str, url: str) -> str:
    """Give the SHA-512 from the text of a checksum file. Pure."""
    words = text.split()
    if not words or not re.match(r"[0-9a-f]{128}\Z", words[0]):
        raise BinaryError(f"cannot read {url}.sha512: no SHA-512 in {text[:60]!r}")
    return words[0]


def _fetch_text(program: Program, url: str) -> str:
    try:
        with _open(program, url) as answer:
            return answer.read(CHECKSUM_BYTES).decode(errors="replace")
    except (http.client.HTTPException, OSError) as error:
        raise _unreached(program, url, error) from error


def _open(program: Program, url: str) -> http.client.HTTPResponse:
    """Open a URL below the site that a person chose; BinaryError for what is not published."""
    if not program.site.startswith(("https://", "http://")):
        raise BinaryError(f"cannot download from {program.site!r}: not an http(s) address")
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=SILENCE)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.NOT_FOUND:
            raise
        raise BinaryError(
            f"cannot find {url}: the site answers 404; is there a release {program.version} "
            f"with {program.component} for {program.architecture}?"
        ) from error
    if program.site.startswith("https:") and not answer.geturl().startswith("https:"):
        answer.close()
        raise BinaryError(f"cannot use {url}: it leads to {answer.geturl()}, which is not https")
    return answer


def _unreached(program: Program, url: str, error: Exception) -> BinaryError:
    found = error.reason if isinstance(error, urllib.error.URLError) else error
    add = f"saltern binaries add {program.version}"
    return BinaryError(
        f"cannot download {url}: {found}; where the internet is not reached, take the programs "
        f"from a directory ({add} --from DIR) or, for 1.20.2, build them ({add} --build)"
    )
