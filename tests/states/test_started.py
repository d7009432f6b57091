"""What a drop-in says, what the shell makes of it, and what is read back."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_states.started import SCRIPT, Record, drop_in, parse, quote
from saltern_states.testing.units import split

INVOCATION = "2f8f3c0e4c2c4f0f9a6c1d0e5b7a9f31"
ODD = ["with space", "per%cent", "$HOME", "${PATH}", 'quo"te', "apo'strophe", "back\\slash", "ü;|&"]


def hash_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def started(words: list[str]) -> None:
    """Run the words of a drop-in's line as systemd would."""
    assert words[0].endswith("/bin/sh")
    environment = {"INVOCATION_ID": INVOCATION, "PATH": "/nowhere"}
    subprocess.run(["/bin/sh", *words[1:]], env=environment, check=True, timeout=30)


def line_of(text: bytes, key: str) -> list[str]:
    return next(split(line) for line in text.decode().split("\n") if line.startswith(key))


@given(st.lists(st.text(st.characters(exclude_categories=["C"]), min_size=1), min_size=1))
def test_words_come_back_as_they_were(words: list[str]) -> None:
    assert split(" ".join(quote(word) for word in words)) == words


def test_a_start_records_what_is_on_disk(tmp_path: Path) -> None:
    records, files = tmp_path / "run it" / "started", [str(tmp_path / name) for name in ODD]
    for name in files[1:]:
        Path(name).write_text(name)
    text = drop_in("odd@one.service", files, files[:2], records)

    started(line_of(text, "ExecStartPre="))
    started(line_of(text, "ExecReload="))

    record = parse((records / "odd@one.service").read_bytes())
    hashes = {name: hash_of(name.encode()) for name in files[1:]} | {files[0]: "-"}
    assert record is not None
    assert record.invocation == INVOCATION
    assert dict(record.hashes) == hashes
    again = parse((records / "odd@one.service.reload").read_bytes())
    assert again is not None
    assert dict(again.hashes) == {name: hashes[name] for name in files[:2]}
    assert sorted(path.name for path in records.iterdir()) == [
        "odd@one.service",
        "odd@one.service.reload",
    ]


def test_a_second_start_replaces_the_record_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    words = line_of(drop_in("a.service", [str(file)], [], tmp_path), "ExecStartPre=")
    file.write_text("one")
    started(words)
    first = (tmp_path / "a.service").stat()
    file.write_text("two")
    started(words)

    record = parse((tmp_path / "a.service").read_bytes())
    assert record is not None
    assert record.sha256(str(file)) == hash_of(b"two")
    assert (tmp_path / "a.service").stat().st_ino != first.st_ino
    assert first.st_mode & 0o777 == 0o600


def test_what_is_no_plain_file_is_not_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    subprocess.run(["/usr/bin/mkfifo", "--", str(fifo)], check=True, timeout=5)

    started(line_of(drop_in("a.service", [str(fifo)], [], tmp_path), "ExecStartPre="))

    record = parse((tmp_path / "a.service").read_bytes())
    assert record is not None
    assert record.hashes == ((str(fifo), "-"),)


def test_a_failing_script_leaves_no_record_and_no_failed_start(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    text = drop_in("a.service", ["/x"], [], tmp_path / "in the way")
    words = line_of(text, "ExecStartPre=")

    with pytest.raises(subprocess.CalledProcessError):
        started(words)
    assert words[0].startswith("ExecStartPre=-+")


def test_without_reloads_there_is_no_reload_line() -> None:
    assert b"ExecReload" not in drop_in("a.service", ["/x"], [])


def test_every_program_has_its_absolute_path() -> None:
    assert " sha256sum" not in SCRIPT
    assert {word for word in SCRIPT.replace("(", " ").split() if word.startswith("/")} == {
        "/bin/mkdir",
        "/usr/bin/timeout",
        "/bin/systemctl",
        "/usr/bin/sha256sum",
        "/bin/mv",
    }


@pytest.mark.parametrize(
    "content", [None, b"", b"\n", b"id\n", b"id\nperhaps\n", b"id\ncurrent", b"\ncurrent\n"]
)
def test_what_is_no_whole_record_is_none(content: bytes | None) -> None:
    assert parse(content) is None


def test_a_record_is_read() -> None:
    content = b"id\nstale\nabc  /b  c\n-  /a\n"
    assert parse(content) == Record("id", current=False, hashes=(("/a", "-"), ("/b  c", "abc")))
