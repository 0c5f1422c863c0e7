"""`python -m daemon`: the service, and the commands beside it.

Exit codes: 0 all done, 1 some job failed, 2 usage, 3 stopped at a budget, 75 another instance runs, 78 configuration.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from rich.console import Console

from daemon import config
from daemon.cli.json_output import print_json
from daemon.errors import AlreadyRunningError, JournalError, UnknownJobError
from daemon.host import fault_guard, logging_setup
from daemon.host.clock import Clock
from freeal.errors import ConfigError, FreealError
from freeal.text.printable_text import visible

USAGE, ANOTHER_INSTANCE, CONFIGURATION = 2, 75, 78


_COMMANDS = {
    "status": {
        "help": "jobs, waiting files, spend; exit 0 when healthy",
        "description": "Jobs with their round of how many, stage and the time the whole job will take yet, who "
        "computes and who waits for it, predictions under way, waiting files with reasons, how new "
        "files are noticed, models, spend, disk, problems with what to do. Exit code 0 when healthy, "
        "1 when not or when no service runs.",
    },
    "retry": {
        "help": "run a failed, cancelled or paused job again",
        "description": "Runs a failed, cancelled or paused job again: its files are taken back from failed/, as they"
        " are now; paid answers are used again. The wish is written into the journal: a running "
        "service carries it out within moments, else the next one does.",
    },
    "cancel": {
        "help": "give a job up; its inputs go to failed/",
        "description": "Gives an unfinished job or prediction up: it is stopped, a batch it has under way is "
        "cancelled, its files go to failed/, nothing is published. The wish is written into the "
        "journal, as with retry.",
    },
    "go": {
        "help": "ask the rest, once you have looked at a job's pilot",
        "description": "Goes on with a job that waits for its owner: the rest of its rows is asked, what its pilot "
        "paid for is kept. An empty file `go` in the pilot's folder says the same.",
    },
    "dismiss": {
        "help": "a failed job has been dealt with: the page shows it no more among the failed ones",
        "description": "Says that a failed job has been dealt with: the live page shows it no more among the failed "
        "ones. Its files stay in failed/, and retry still runs it again.",
    },
    "use": {
        "help": "make an earlier version of a model the current one",
        "description": "Makes an earlier version of a model the current one, at once: the link model, the labelled "
        "rows and the figures on top are its own again.",
    },
    "check": {
        "help": "settings, key, models, disk, GPU: ok or what to do",
        "description": "The settings in force with the source of each, then key, models, folders, disk, GPU: one "
        "line each, ok or what to do. Exit code 78 if anything is not.",
    },
}
"""Each with what its help says."""
_REQUESTS = {"retry", "cancel", "go", "dismiss"}
"""Those that write a wish about a job into the journal."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    parser = argument_parser()
    options = parser.parse_args(arguments)
    if options.command and (options.once or options.dry_run):
        parser.error(f"--once and --dry-run do not go with the command {options.command!r}")
    if options.json and not (options.command or options.once or options.dry_run):
        parser.error("--json goes with --once, --dry-run or a command: the service writes log lines (log.format: json)")
    try:
        loaded = config.load(options.config)
        logging_setup.configure_logging(loaded.settings.log)
        return _run_command(options, loaded)
    except FreealError as error:
        if options.json:
            print_json({"error": [part.as_dict() for part in error.parts]})
        print(visible(f"{'configuration: ' if isinstance(error, ConfigError) else ''}{error}"), file=sys.stderr)
        return _exit_code_of_error(error)
    except (OSError, ExceptionGroup) as error:
        trouble = fault_guard.passing_trouble_in(error)
        if trouble is None:
            raise
        print(trouble, file=sys.stderr)  # no configuration error: a service manager may start us again
        return 1


def _exit_code_of_error(error: FreealError) -> int:
    if isinstance(error, AlreadyRunningError):
        return ANOTHER_INSTANCE
    if isinstance(error, ConfigError | JournalError):
        return CONFIGURATION
    return USAGE if isinstance(error, UnknownJobError) else 1


def argument_parser() -> argparse.ArgumentParser:
    """Every command with its options, as `-h` shows them."""
    # behind a command, silence must not undo what stood before it
    common = _common_options(config=argparse.SUPPRESS, as_json=argparse.SUPPRESS)
    parser = argparse.ArgumentParser(
        prog="python -m daemon",
        parents=[_common_options(config=None, as_json=False)],
        description="Watches the inbox: a CSV and its spec in, an annotated CSV and a classifier out.",
        epilog="exit codes: 0 all done, 1 some job failed, 2 usage, 3 stopped at a budget, "
        "75 another instance runs, 78 configuration",
    )
    parser.add_argument("--version", action="version", version=f"freeal-daemon {metadata.version('freeal-daemon')}")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--once",
        action="store_true",
        help="work off the inbox and the folders for predictions and corrections, then exit with a table of what was "
        "made",
    )
    how.add_argument(
        "--dry-run",
        action="store_true",
        help="show what each job of the inbox would ask, cost and take, its first prompt, and what would fail or wait; "
        "asks no model, moves nothing; exit code 1 if a job would fail",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands; without one, the service runs")
    for name, texts in _COMMANDS.items():
        command = commands.add_parser(name, parents=[common], help=texts["help"], description=texts["description"])
        if name in _REQUESTS:
            command.add_argument("job", metavar="JOB", help="its id, as status shows it")
        if name == "use":
            command.add_argument("job", metavar="JOB", help="the id of the job it came from: its folder in versions/")
    return parser


def _common_options(*, config: str | None, as_json: str | bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=config,
        help="settings; default: freeal.yaml of the current folder, where there is one",
    )
    parser.add_argument(
        "--json", action="store_true", default=as_json, help="for programs: one JSON object on stdout, errors too"
    )
    return parser


def _run_command(options: argparse.Namespace, loaded: config.Loaded) -> int:
    console = Console()
    if options.command == "status":
        return _status_command(loaded, console, as_json=options.json)
    if options.command in _REQUESTS:
        from daemon.cli.job_request_command import request_job

        request_job(loaded.settings, options.command, options.job, as_json=options.json)
        return 0
    if options.command == "use":
        from daemon.cli.use_command import use_version

        done = use_version(loaded.settings, options.job)
        if options.json:
            print_json(done.as_dict())
        else:
            print(visible(done.in_a_sentence))
        return 0
    if options.command == "check":
        from daemon.cli.check_command import check

        return check(loaded, console, as_json=options.json)
    if options.dry_run:
        from daemon.cli.dry_run_command import dry_run

        return dry_run(loaded, console, as_json=options.json)
    return _serve_command(loaded, console, once=options.once, as_json=options.json)


def _serve_command(loaded: config.Loaded, console: Console, *, once: bool, as_json: bool) -> int:
    from daemon.app import serve
    from daemon.cli.once_summary import once_summary_content, show_once_summary
    from daemon.service.service_folders import prepare_folders
    from daemon.terminal.service_greeting import farewell, greet

    said_to = Console(stderr=True)
    speaks = said_to.is_terminal and not once
    if speaks:
        prepare_folders(loaded.settings)  # what cannot be served is not greeted
        greet(loaded, said_to)
    report = serve(loaded, once=once, console=said_to)
    if once and as_json:
        print_json(once_summary_content(report, loaded.settings))
    elif once:
        show_once_summary(report, loaded.settings, console)
    elif speaks:
        farewell(report.jobs, open_jobs=report.open_jobs, console=said_to)
    return report.exit_code


def _status_command(loaded: config.Loaded, console: Console, *, as_json: bool) -> int:
    from daemon.status.status_snapshot import collect_status
    from daemon.status.status_table import show_status

    status = collect_status(loaded.settings, Clock())
    if as_json:
        print_json(status.content)
    else:
        show_status(status, console)
    return 0 if status.healthy else 1


if __name__ == "__main__":
    raise SystemExit(main())
