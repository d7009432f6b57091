"""Importing a module does nothing: it opens nothing to write, no socket, and starts no program."""

from __future__ import annotations

import subprocess
import sys

from tests.house.tree import modules

REFUSE = """
import importlib, os, sys

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
ACTS = {"socket.__new__", "subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.mkdir",
        "os.remove", "os.rename", "os.chmod", "os.kill", "os.putenv", "sqlite3.connect"}

def refuse(event, arguments):
    if event in ACTS or (event == "open" and arguments[2] & WRITING):
        raise RuntimeError(f"{event} {arguments} at import")

sys.addaudithook(refuse)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except RuntimeError as error:
        print(f"{name}: {error}")
"""


def imported(*names: str) -> str:
    """Import modules in an interpreter that refuses effects; give what was refused."""
    command = [sys.executable, "-B", "-W", "error", "-c", REFUSE, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_module_does_anything_when_it_is_imported() -> None:
    assert imported(*modules()) == ""


def test_the_refusal_works() -> None:
    assert "open ('/dev/null'" in imported_source("open('/dev/null', 'w')")
    assert "socket.__new__" in imported_source("import socket; socket.socket()")
    assert "subprocess.Popen" in imported_source("import subprocess; subprocess.run(['/bin/true'])")


def imported_source(source: str) -> str:
    """Run a line as a module would be imported."""
    code = REFUSE.partition("for name in")[0] + source
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=50).stderr
