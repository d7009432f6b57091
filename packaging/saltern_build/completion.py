"""What shells complete on a command line, out of the program's own parser: pure.

Of argparse's program all is known beforehand, so the scripts start nothing. Typer's program
brings scripts that ask it, and it knows the names of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from typer._completion_shared import get_completion_script  # it has no public name

from saltern_build.programs import Command, Term

SHELLS = ("bash", "zsh", "fish")


def asking(program: str) -> dict[str, str]:
    """Give each shell's script that asks a program of Typer's."""
    variable = f"_{program.upper()}_COMPLETE"
    scripts = {
        shell: get_completion_script(prog_name=program, complete_var=variable, shell=shell) + "\n"
        for shell in SHELLS
    }
    # Typer writes for .zshrc. Autoloaded, the file is the function itself, and the first of all
    # calls has to answer as well.
    answers = f'[[ $funcstack[1] = _{program} ]] && _{program}_completion "$@"\n'
    return {**scripts, "zsh": scripts["zsh"] + answers}


def knowing(program: Command) -> dict[str, str]:
    """Give each shell's script that knows a program's commands."""
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return {shell: "\n".join(makers[shell](program)) + "\n" for shell in SHELLS}


def options(command: Command) -> tuple[str, ...]:
    """Give the names of all its options."""
    return tuple(name for term in command.terms for name in term.names)


def _bash(program: Command) -> Iterator[str]:
    function = "_" + program.name.replace("-", "_")
    valued = "|".join(name for term in program.terms if term.takes for name in term.names)
    yield f"# bash completion of {program.name}"
    yield f"{function}() {{"
    yield "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}"
    yield "    local command= index words="
    yield "    COMPREPLY=()"
    yield "    for ((index = 1; index < COMP_CWORD; index++)); do"
    yield "        case ${COMP_WORDS[index]} in"
    yield f"        {valued}) index=$((index + 1)) ;;"
    yield "        -*) ;;"
    yield "        *) command=${COMP_WORDS[index]}; break ;;"
    yield "        esac"
    yield "    done"
    yield "    case $command:$previous in"
    for command in (program, *program.commands):
        yield from _bash_values("" if command is program else command.name, command)
    yield "    esac"
    yield "    case $command in"
    names = " ".join(one.name for one in program.commands)
    yield f"    '') words='{names} {' '.join(options(program))}' ;;"
    for command in program.commands:
        yield f"    {command.name}) words='{' '.join(options(command))}' ;;"
    yield "    esac"
    yield "    if [[ -z $command || $current == -* ]]; then"
    yield '        COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "    fi"
    yield "}"
    yield f"complete -o bashdefault -o default -F {function} {program.name}"


def _bash_values(name: str, command: Command) -> Iterator[str]:
    """What follows an option: its choices, or whatever the shell completes by itself."""
    for term in command.terms:
        if term.takes and term.names:
            places = "|".join(f"{name}:{one}" for one in term.names)
            words = f"COMPREPLY=($(compgen -W '{' '.join(term.choices)}' -- \"$current\")); "
            yield f"    {places}) {words if term.choices else ''}return ;;"


def _zsh(program: Command) -> Iterator[str]:
    function = f"_{program.name}"
    yield f"#compdef {program.name}"
    yield f"{function}() {{"
    yield "    local curcontext=$curcontext state line"
    yield "    local -a commands"
    yield "    typeset -A opt_args"
    yield "    commands=("
    yield from (f"        {_quoted(_zsh_name(one))}" for one in program.commands)
    yield "    )"
    yield "    _arguments -C \\"
    yield from (f"        {_quoted(spec)} \\" for spec in _zsh_options(program))
    yield "        '1:command:->command' '*::argument:->arguments'"
    yield "    case $state in"
    yield "    command) _describe -t commands command commands ;;"
    yield "    arguments)"
    yield "        case $words[1] in"
    for command in program.commands:
        specs = " ".join(_quoted(spec) for spec in _zsh_options(command))
        yield f"        {command.name}) _arguments {specs} '*:file:_files' ;;"
    yield "        esac ;;"
    yield "    esac"
    yield "}"
    yield f'{function} "$@"'


def _zsh_name(command: Command) -> str:
    return f"{command.name}:{command.summary}".replace("\\", "\\\\")


def _zsh_options(command: Command) -> Iterator[str]:
    for term in command.terms:
        text = term.text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
        text = text.replace(":", "\\:")
        values = f"({' '.join(term.choices)})" if term.choices else "_files"
        excluded = f"({' '.join(term.names)})" if len(term.names) > 1 else ""
        for name in term.names:
            equals = "=" if term.takes and name.startswith("--") else ""
            value = f":value:{values}" if term.takes else ""
            yield f"{excluded}{name}{equals}[{text}]{value}"


def _fish(program: Command) -> Iterator[str]:
    base = f"complete -c {program.name}"
    yield f"# fish completion of {program.name}"
    for term in program.terms:
        yield f"{base} -n __fish_use_subcommand {_fish_option(term)}"
    for command in program.commands:
        text = _quoted(command.summary)
        yield f"{base} -n __fish_use_subcommand -f -a {command.name} -d {text}"
    for command in program.commands:
        here = _quoted(f"__fish_seen_subcommand_from {command.name}")
        for term in command.terms:
            if term.names:
                yield f"{base} -n {here} {_fish_option(term)}"


def _fish_option(term: Term) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in term.names
    )
    value = f" -x -a {_quoted(' '.join(term.choices))}" if term.choices else " -r"
    text = f" -d {_quoted(term.text)}" if term.text else ""
    return f"{names}{value if term.takes else ''}{text}"


def _quoted(text: str) -> str:
    """Quote for zsh and fish; an apostrophe ends the quotes, stands escaped, and opens them."""
    return "'" + text.replace("'", "'\\''") + "'"
