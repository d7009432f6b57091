"""What runs before the kubelet of a control plane: by a real shell, with programs of the test's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from saltern_master.compile.kubelet_first import script

SOCAT = """\
#!/bin/sh
cat >/dev/null
[ -e {answers} ] || exit 1
printf 'HTTP/1.0 200 OK\\r\\n\\r\\nok'
"""
ALONE = """\
#!/bin/sh
echo "$1 ${{NOTIFY_SOCKET-unset}}" >{ran}
trap 'echo ended >>{ran}; exit 0' TERM
touch {answers}
while :; do sleep 0.05; done
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in (("socat", SOCAT), ("alone", ALONE)):
        path = tmp_path / name
        path.write_text(text.format(answers=tmp_path / "answers", ran=tmp_path / "ran"))
        path.chmod(0o755)
    return tmp_path


def run(place: Path, *command: str) -> int:
    first = place / "first.sh"
    first.write_text(script("127.0.0.1", command))
    environment = {"PATH": f"{place}:{os.environ['PATH']}", "NOTIFY_SOCKET": "/run/notify"}
    return subprocess.run(["/bin/sh", str(first)], env=environment, timeout=30).returncode


def test_where_the_api_server_answers_nothing_else_is_run(place: Path) -> None:
    (place / "answers").touch()

    assert run(place, str(place / "alone"), "--flag") == 0
    assert not (place / "ran").exists()


def test_a_kubelet_runs_until_the_api_server_answers(place: Path) -> None:
    assert run(place, str(place / "alone"), "--flag") == 0
    assert (place / "ran").read_text() == "--flag unset\nended\n"


def test_a_kubelet_that_ends_by_itself_is_not_waited_for(place: Path) -> None:
    assert run(place, "/bin/false") == 0
