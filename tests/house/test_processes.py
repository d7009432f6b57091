"""R4 and R5: who may start programs, and how; nothing received is code, a name or a path.

The lists are short on purpose, and each line says why. Who adds one has something to explain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.house.tree import PACKAGES, ROOT, files, shown

AGENT, MASTER = "agent/saltern_agent", "master/saltern_master"
START_PROGRAMS = {
    f"{AGENT}/host/debs.py": "dpkg-deb reads a package's name",
    f"{AGENT}/upgrade/ground.py": "systemctl starts the upgrader",
    f"{AGENT}/upgrade/machine.py": "dpkg, and systemctl for its own unit",
    f"{AGENT}/host/iptables.py": "iptables-save and -restore",
    f"{AGENT}/host/kernel.py": "modprobe",
    f"{AGENT}/host/revert_timer.py": "systemd-run and systemctl, for one timer of its own",
    f"{AGENT}/host/systemd.py": "journalctl, for the end of a unit's journal",
    f"{AGENT}/host/transaction.py": "apt-get and dpkg, to their end",
    f"{MASTER}/commands.py": "the tools that packages and archives are made with",
    f"{MASTER}/binaries/build_tools.py": "Debian's builders",
    f"{MASTER}/core/front.py": "the front, which is the master's own other process",
    f"{MASTER}/joining/ssh.py": "the operator's own ssh, for machines that are to be nodes",
}
WORKBENCH = (
    f"{MASTER}/lab/",
    f"{MASTER}/bench/",
)  # boot and measure nodes on a developer's machine
RUNNERS = frozenset({"run", "Popen", "call", "check_call", "check_output"})
STARTERS = frozenset({"system", "popen", "startfile"})
FAMILIES = ("exec", "spawn", "posix_spawn", "fork")  # of os; with their many endings
CODE = frozenset({"eval", "exec", "compile", "__import__"})
CODE_MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "jinja2", "mako", "code", "pty"})
BY_NAME = {  # getattr, setattr and import_module by a name that is no literal
    f"{AGENT}/glance.py": "a port's own method, asked for by our own code",
    f"{AGENT}/foreseen.py": "the same, of our own list of ports",
    f"{MASTER}/cli/lazy.py": "our own table of commands",
    f"{MASTER}/cli/output.py": "the columns that our own command names",
    f"{MASTER}/front/calls.py": "our own list of system calls",
    f"{MASTER}/compile/readable.py": "the fields of our own Specs",
    "states/saltern_states/certificate.py": "fields that are named in that very line",
    "states/saltern_states/leaf.py": "fields that are named in that very line",
}
OPEN_PATHS = {  # the agent opens paths in agent/host; beside that only what is its own
    f"{AGENT}/__main__.py": "/dev/null",
    f"{AGENT}/commands.py": "files that an operator names on the command line",
    f"{AGENT}/journal.py": "its own journal",
    f"{AGENT}/link/joined.py": "the kernel's boot id",
    f"{AGENT}/link/stock.py": "a blob, by the path that host/blobs.py found for it",
    f"{AGENT}/places.py": "its own identity and lock",
    f"{AGENT}/upgrade/begin.py": "files of its own upgrade, and its unit",
    f"{AGENT}/upgrade/machine.py": "dpkg's locks",
    f"{AGENT}/upgrade/program.py": "its own modules",
    f"{AGENT}/upgrade/records.py": "files of its own upgrade",
    f"{AGENT}/upgrade/repack.py": "its own package, as dpkg knows it",
    f"{AGENT}/upgrade/run.py": "the kernel's boot id, and the two packages",
}
OPENERS = frozenset({"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch"})
# What has a method of such a name, and opens no path by it.
NO_PATHS = frozenset({"tar", "tarfile", "_socket", "notices", "self"})


@dataclass(frozen=True, slots=True)
class Source:
    """A module's text, taken apart."""

    name: str
    tree: ast.Module

    def calls(self) -> Iterator[tuple[ast.Call, str, str]]:
        """Give each call with what it is called on and its own name: ("os", "open")."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, *_called(node.func)

    def imports(self) -> Iterator[str]:
        """Give the top of each module that is imported, and "asyncio.subprocess" whole."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (one.name.split(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


@cache
def sources() -> tuple[Source, ...]:
    """Give every module that is delivered."""
    tops = tuple(ROOT / package for package in PACKAGES)
    ours = (path for path in files(".py") if any(path.is_relative_to(top) for top in tops))
    return tuple(Source(shown(path), ast.parse(path.read_text())) for path in ours)


def delivered() -> Iterator[Source]:
    """Give those that run on a node or a master: not the workbench, not fakes."""
    aside = (*WORKBENCH, f"{MASTER}/testing/", f"{MASTER}/demo.py")
    yield from (source for source in sources() if not source.name.startswith(aside))


def starts(source: Source) -> set[str]:
    """Name the ways in which a module can start a program."""
    found = {one for one in source.imports() if one in ("subprocess", "multiprocessing")}
    for _, on, name in source.calls():
        of_os = on == "os" and (name in STARTERS or name.startswith(FAMILIES))
        if of_os or name.startswith("create_subprocess"):
            found.add(name)
    return found


def faults_of_runs(source: Source) -> Iterator[str]:
    """Name what is wrong with each start of a program."""
    for call, on, name in source.calls():
        if name == "create_subprocess_shell":
            yield f"{source.name}:{call.lineno}: a shell"
        if on != "subprocess" or name not in RUNNERS:
            continue
        where, words = f"{source.name}:{call.lineno}", {one.arg for one in call.keywords}
        if "shell" in words:
            yield f"{where}: a shell"
        if name != "Popen" and "timeout" not in words:
            yield f"{where}: no timeout"
        if not call.args or not _is_list(source, call.args[0]):
            yield f"{where}: its first argument is no list that begins with an absolute program"


def _is_list(source: Source, given: ast.expr) -> bool:
    """Say whether it is a list that begins with a program's absolute path, as far as one can see.

    A name is looked up in the module; a parameter is its caller's, who is looked at as well.
    """
    if isinstance(given, ast.List | ast.Tuple):
        return bool(given.elts) and _is_absolute(source, given.elts[0])
    if isinstance(given, ast.Call) and _called(given.func)[1] == "list":
        return _is_list(source, given.args[0])
    if isinstance(given, ast.BinOp):
        return _is_list(source, given.left)
    if isinstance(given, ast.Name):
        bound = _bound(source, given.id)
        return all(_is_list(source, one) for one in bound)
    return False


def _is_absolute(source: Source, first: ast.expr) -> bool:
    match first:
        case ast.Constant(value=str() as text):
            return text.startswith("/")
        case ast.Starred(value=inner):
            return _is_list(source, inner)
        case ast.Attribute(value=ast.Name(id="sys"), attr="executable"):
            return True
        case ast.Call(func=ast.Name(id="str")):
            return True  # of a Path: `programs`, which a test names, is absolute in the product
        case ast.Name(id=name):
            bound = _bound(source, name)
            return bool(bound) and all(_is_absolute(source, one) for one in bound)
    return False


def _bound(source: Source, name: str) -> list[ast.expr]:
    """Give what a name is bound to anywhere in a module; nothing for a parameter."""
    found: list[ast.expr] = []
    for node in ast.walk(source.tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(one, ast.Name) and one.id == name for one in targets) and node.value:  # type: ignore[attr-defined]
            found.append(node.value)  # type: ignore[attr-defined]
    return found


def code_in(source: Source) -> Iterator[str]:
    """Name where text would become code."""
    for one in CODE_MODULES & set(source.imports()):
        yield f"{source.name}: {one}"
    for call, on, name in source.calls():
        if not on and name in CODE:
            yield f"{source.name}:{call.lineno}: {name}()"
        if on == "yaml" and name in ("load", "load_all", "unsafe_load"):
            yield f"{source.name}:{call.lineno}: yaml.{name}()"
        unsafe = [one for one in call.keywords if one.arg == "typ"]
        if name == "YAML" and not any(
            isinstance(one.value, ast.Constant) and one.value.value == "safe" for one in unsafe
        ):
            yield f"{source.name}:{call.lineno}: YAML() that is not safe"


def by_name(source: Source) -> Iterator[str]:
    """Name where an attribute or a module is chosen by a name that is no literal."""
    for call, _, name in source.calls():
        at = 0 if name == "import_module" else 1
        asked = name in ("getattr", "setattr", "delattr", "import_module") and len(call.args) > at
        if asked and not isinstance(call.args[at], ast.Constant):
            yield f"{source.name}:{call.lineno}: {name}()"


def opens(source: Source) -> Iterator[str]:
    """Name where a path is opened."""
    for call, on, name in source.calls():
        if name in OPENERS and on not in NO_PATHS:
            yield f"{source.name}:{call.lineno}: {on}.{name}()"


def _called(func: ast.expr) -> tuple[str, str]:
    match func:
        case ast.Name(id=name):
            return "", name
        case ast.Attribute(value=ast.Name(id=on), attr=name):
            return on, name
        case ast.Attribute(value=ast.Attribute(attr=on), attr=name):
            return on, name
        case ast.Attribute(attr=name):
            return "…", name
    return "…", "…"


def test_only_a_few_modules_start_programs() -> None:
    found = {source.name: starts(source) for source in delivered()}

    assert {name for name, ways in found.items() if ways} == set(START_PROGRAMS)


def test_each_start_has_a_list_an_absolute_program_and_an_end() -> None:
    assert [fault for source in delivered() for fault in faults_of_runs(source)] == []


def test_nothing_becomes_code() -> None:
    assert [line for source in sources() for line in code_in(source)] == []


def test_nothing_is_chosen_by_a_name_that_came_from_elsewhere() -> None:
    found = {source.name for source in delivered() if list(by_name(source))}

    assert found <= set(BY_NAME)


def test_the_agent_opens_paths_in_its_host_alone() -> None:
    found = {
        source.name
        for source in sources()
        if source.name.startswith(f"{AGENT}/")
        and not source.name.startswith(f"{AGENT}/host/")
        and list(opens(source))
    }

    assert found <= set(OPEN_PATHS)


@pytest.mark.parametrize("name", [*START_PROGRAMS, *BY_NAME, *OPEN_PATHS])
def test_no_list_names_what_is_not_there(name: str) -> None:
    assert (ROOT / name).is_file()


def source_of(text: str) -> Source:
    return Source("x.py", ast.parse(text))


@pytest.mark.parametrize(
    "wrong",
    [
        "subprocess.run('ls', timeout=1)",
        "subprocess.run(f'ls {x}', timeout=1)",
        "subprocess.run(['ls'], timeout=1)",
        "subprocess.run(['/bin/ls'])",
        "subprocess.run(['/bin/ls'], timeout=1, shell=True)",
        "subprocess.Popen(['ls'])",
        "A = 'ls'\nsubprocess.run([A], timeout=1)",
        "command = ['ls', x]\nsubprocess.run(command, timeout=1)",
        "subprocess.check_output(['/bin/ls'])",
        "asyncio.create_subprocess_shell('ls')",
        "subprocess.run(x.split(), timeout=1)",
    ],
)
def test_a_wrong_start_is_found(wrong: str) -> None:
    assert list(faults_of_runs(source_of(wrong)))


@pytest.mark.parametrize(
    "right",
    [
        "subprocess.run(['/bin/ls', x], timeout=1)",
        "A = '/bin/ls'\nsubprocess.run([A, '--', x], timeout=1)",
        "command = [str(program), x]\nsubprocess.run([*command, y], timeout=1)",
        "subprocess.Popen([sys.executable, '-m', 'x'])",
    ],
)
def test_a_right_one_passes(right: str) -> None:
    assert list(faults_of_runs(source_of(right))) == []


@pytest.mark.parametrize(
    ("wrong", "looked_for"),
    [
        ("import pickle", code_in),
        ("from jinja2 import Template", code_in),
        ("eval(x)", code_in),
        ("yaml.load(x)", code_in),
        ("YAML()", code_in),
        ("YAML(typ='unsafe')", code_in),
        ("getattr(x, received)()", by_name),
        ("import_module(name)", by_name),
        ("open(path)", opens),
        ("os.open(path, 0)", opens),
        ("Path(x).read_text()", opens),
    ],
)
def test_what_may_not_be_is_found(wrong: str, looked_for: object) -> None:
    assert callable(looked_for)
    assert list(looked_for(source_of(wrong)))


@pytest.mark.parametrize("wrong", ["import subprocess", "os.fork()", "os.execv(a, b)"])
def test_a_way_to_start_is_found(wrong: str) -> None:
    assert starts(source_of(wrong))


def test_the_audit_sees_the_modules() -> None:
    names = {source.name for source in sources()}

    assert f"{AGENT}/host/disk.py" in names
    assert len(names) > 150
    assert Path(ROOT, "pyproject.toml").is_file()
