"""errors.md and commands.md: what is said when something is wrong, and everything that can be typed."""

from __future__ import annotations

import argparse
import inspect
import re

import daemon.cli.command_line
import daemon.errors
import freeal.cli.command_line
import freeal.errors
from docs.generator.reference.markdown_tables import table

ERRORS = """\
# Errors and exit codes

A message says what is wrong, where (file, line, column or key) and what to do. The class is the `kind` in
`error.json`, where `problem`, `where` and `hint` stand apart; a job that was cancelled has `Cancelled`, a fault of
the disk the system's own name, a mistake of ours `internal`. What to do when one comes: [When something
fails](../runbook.md).
"""

COMMANDS = """\
# Commands

`-h` prints the same on a terminal, `--version` says which version it is. `freeal` and `python -m freeal` are one
command, so are `freeal-daemon` and `python -m daemon`. What they end with: [exit codes](errors.md#exit-codes).
"""


def errors_page() -> str:
    """Every error class with what it means, and every exit code."""
    codes = {
        **exit_codes(freeal.cli.command_line.argument_parser()),
        **exit_codes(daemon.cli.command_line.argument_parser()),
    }
    parts = [
        ERRORS.strip(),
        "## Exit codes",
        table(["code", "means"], [[f"`{number}`", text] for number, text in sorted(codes.items())]),
        "Told to stop (SIGTERM, Ctrl-C), the service finishes calls under way and ends with 0; told twice, at once.",
    ]
    for title, module in {"The library": freeal.errors, "The service": daemon.errors}.items():
        tree = (inspect.getdoc(module) or "").split("\n\n")[1]
        rows = [
            [f"`{error.__name__}`", f"`{error.__mro__[1].__name__}`", one_line(error)]
            for error in vars(module).values()
            if isinstance(error, type) and issubclass(error, Exception) and error.__module__ == module.__name__
        ]
        parts += [f"## {title}", f"```text\n{tree}\n```", table(["error", "is a", "means"], rows)]
    return "\n\n".join(parts)


def one_line(thing: type) -> str:
    """A docstring as one paragraph, without the indentation of the source."""
    return " ".join((inspect.getdoc(thing) or "").split())


def exit_codes(parser: argparse.ArgumentParser) -> dict[int, str]:
    """The codes that `-h` tells at its end."""
    said = (parser.epilog or "").partition("exit codes: ")[2]
    return {int(number): text for number, text in re.findall(r"(\d+) ([^,]+)", said)}


def commands_page() -> str:
    """Every command with every option."""
    parts = [
        COMMANDS.strip(),
        "## daemon",
        usage(daemon.cli.command_line.argument_parser()),
        options(daemon.cli.command_line.argument_parser()),
    ]
    for title, parser in {
        "daemon": daemon.cli.command_line.argument_parser(),
        "freeal": freeal.cli.command_line.argument_parser(),
    }.items():
        for name, command in subcommands(parser).items():
            parts += [f"## {title} {name}", command.description or "", usage(command), options(command)]
    return "\n\n".join(part for part in parts if part)


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Name -> its parser, in the order of `-h`; what stands below a command follows it, under both names."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found[name] = command
                found |= {f"{name} {below}": inner for below, inner in subcommands(command).items()}
    return found


def usage(parser: argparse.ArgumentParser) -> str:
    """The usage lines as a block, the same whatever the terminal's width and Python's version."""
    words = [
        parser.prog.replace("freeal ", "python -m freeal ", 1) if parser.prog.startswith("freeal") else parser.prog
    ]
    for action in listed(parser):
        if isinstance(action, argparse._SubParsersAction):
            words.append(f"[{action.metavar} ...]")
            continue
        word = " ".join([*([longest(action)] if action.option_strings else []), *value_of(action)])
        words.append(word if action.required or not action.option_strings else f"[{word}]")
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) > 100:
            lines.append("   ")
        lines[-1] += f" {word}" if lines[-1] else word
    return "```text\n" + "\n".join(lines) + "\n```"


def options(parser: argparse.ArgumentParser) -> str:
    """A table of arguments and options."""
    rows = []
    for action in listed(parser):
        if isinstance(action, argparse._SubParsersAction):
            continue
        names = action.option_strings or [str(action.metavar or action.dest).upper()]
        shown = ", ".join(f"`{name}`" for name in names if name.startswith("--") or not action.option_strings)
        rows.append(
            [shown, " ".join(value_of(action)) if action.option_strings else "", (action.help or "") % vars(action)]
        )
    return table(["option", "takes", "does"], rows)


def listed(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What `-h` lists, but `-h` itself and `--version`; what must be given comes first."""
    found = [
        one for one in parser._actions if one.dest not in {"help", "version"} and one.help is not argparse.SUPPRESS
    ]
    return sorted(found, key=lambda one: (isinstance(one, argparse._SubParsersAction), not one.required))


def longest(action: argparse.Action) -> str:
    """The option's name as it is best written."""
    return (
        action.option_strings[0]
        if len(action.option_strings) == 1
        else next(name for name in action.option_strings if name.startswith("--"))
    )


def value_of(action: argparse.Action) -> list[str]:
    """What an argument takes, as words: nothing for a switch."""
    if action.nargs == 0:
        return []
    if action.choices is not None:
        return ["{" + ",".join(map(str, action.choices)) + "}"]
    name = str(action.metavar or action.dest.upper())
    return [name, "..."] if action.nargs == "+" else [name]
