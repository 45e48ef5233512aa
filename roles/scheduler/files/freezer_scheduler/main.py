# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The command freezer-scheduler."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.completion import completion
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.streams import (
    give_stdout_up,
    open_standard_streams,
    say,
    status_after_output,
)

from .cli.command_line import UsageError, build_parser, parse
from .config.paths import current_folder

if TYPE_CHECKING:
    from .config.settings import Settings
    from .process.daemon import Lock

LOG = logging.getLogger("freezer_scheduler")
_DAEMON = ("start", "stop", "restart", "status", "reload")
NOT_RUNNING = 3
#: How long a start in the background waits for the first poll of the API.
_FIRST_POLL_SECONDS = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status: 0 done, 1 failed, 2 the command line is wrong, 3 the scheduler does not run."""
    open_standard_streams()
    try:
        status = _run(arguments)
    except SystemExit as ended:  # of argparse, which has printed a help
        raise SystemExit(status_after_output("freezer-scheduler", int(ended.code or 0))) from None
    return status_after_output("freezer-scheduler", status)


def _run(arguments: Sequence[str] | None) -> int:
    is_debugged = False
    try:
        flags = parse(arguments)
        is_debugged = bool(flags.debug)
        flags.typed_in = current_folder()
        if flags.verb == "completion":
            print(completion(build_parser(), flags.shell))
            return 0
        return _daemon(flags) if flags.verb in _DAEMON else _documents(flags)
    except UsageError as error:
        _say(str(error))
        return 2
    except BrokenPipeError:
        give_stdout_up()
        return 1
    except Exception as error:  # noqa: BLE001 - a user gets a sentence, not a traceback
        if is_debugged and _is_fault(error):
            traceback.print_exc()
        _say(_sentence(error))
        return 1


def _is_fault(error: Exception) -> bool:
    return not isinstance(error, (FreezerError, DocumentError, ScheduleError, OSError))


def _sentence(error: Exception) -> str:
    """The sentence about an error for the user."""
    if _is_fault(error):
        return f"This is a fault of the program: {type(error).__name__}: {error}. Use --debug to see where."
    if isinstance(error, OSError):
        return f"{error.filename or 'The system'}: {error.strerror or error}."
    return f"{str(error).rstrip('.')}."


def _documents(flags: argparse.Namespace) -> int:
    from .cli.documents import run
    from .config.settings import client_id_of

    settings = _settings(flags)
    if settings.no_api:
        from .cli.file_jobs import run_on_files

        return run_on_files(flags, settings, client_id_of(settings))
    registry = settings.connect()
    try:
        return run(flags, registry, lambda: client_id_of(settings), settings.zone, settings.jobs_dir)
    finally:
        registry.close()


def _daemon(flags: argparse.Namespace) -> int:
    from .config.paths import settle
    from .config.settings import client_id_of, remember_client_id
    from .process.daemon import Lock

    settle(os.environ, flags.typed_in)
    settings = _settings(flags)
    client_id = client_id_of(settings)
    folder = settings.state_dir / client_id
    lock = Lock(folder)
    if flags.verb == "status":
        from .cli.status import show_status

        return show_status(client_id, lock.holder(), folder, flags.format, not settings.no_api)
    if flags.verb == "reload":
        pid = lock.holder()
        if not pid:
            _say(f"No scheduler of {client_id} runs.")
            return NOT_RUNNING
        os.kill(pid, signal.SIGHUP)
        return 0
    if flags.verb in ("stop", "restart"):
        pid = lock.end_holder()
        print(
            f"The scheduler of {client_id} {f'(process {pid}) has ended' if pid else 'does not run'}.", file=sys.stderr
        )
        if flags.verb == "stop":
            return 0
    lock.take()
    if not settings.client_id:
        remember_client_id(settings, client_id)
    return _start(flags, settings, client_id, folder, lock)


def _start(flags: argparse.Namespace, settings: Settings, client_id: str, folder: Path, lock: Lock) -> int:
    from .process.daemon import in_background
    from .process.service import Service

    log = settings.log_file or (None if settings.no_daemon else folder / "scheduler.log")
    # Before it goes into the background, so that an error about the file is printed here.
    _set_up_log(log, settings.debug)
    for warning in settings.warnings:
        LOG.warning("%s", warning)

    # Only with -f: upstream's schedulers write the jobs of their API to the folder of the configuration.
    uploads = settings.jobs_dir if flags.jobs_dir and not settings.no_api else None

    def work(ready: Callable[[], None]) -> str:
        try:
            Service(settings, client_id, folder, lambda: _settings(flags), uploads).run(ready)
        except Exception as error:
            LOG.error("%s", _sentence(error), exc_info=error if _is_fault(error) else None)
            return _sentence(error)
        return ""

    if settings.no_daemon:
        problem = work(lambda: None)
        if problem and log is not None:
            _say(problem)
        return 1 if problem else 0
    in_background(work, lock, log or folder / "scheduler.log")
    print(f"The scheduler of {client_id} runs (process {lock.holder()}); it logs to {log}.", file=sys.stderr)
    if not settings.no_api:
        _warn_of_api(folder)
    return 0


def _warn_of_api(folder: Path) -> None:
    """Wait for the first poll of the API, and print a warning if it fails: the scheduler itself tries again."""
    from .cli.status import api_state

    deadline = time.monotonic() + _FIRST_POLL_SECONDS
    while time.monotonic() < deadline:
        found = api_state(folder)
        if found is not None:
            if found["problem"]:
                _say(f"warning: The API cannot be used now: {found['problem']} The scheduler tries again.")
            return
        time.sleep(0.05)
    _say("warning: The API has not answered yet; `freezer-scheduler status` says when it has.")


def _settings(flags: argparse.Namespace) -> Settings:
    from .config.settings import read_settings

    names = ("client_id", "interval", "jobs_dir", "state_dir", "no_api", "no_daemon", "disable_exec", "concurrent_jobs")
    given = {name: getattr(flags, name) for name in (*names, "debug")}
    return read_settings(flags.config_file or (), flags.config_dir or (), flags.typed_in, **given)


def _set_up_log(path: Path | None, debug: bool) -> None:
    handler: logging.Handler
    if path is None:
        handler = logging.StreamHandler()
    else:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # A file that is moved away is created again.
        from logging.handlers import WatchedFileHandler

        handler = WatchedFileHandler(path)
    # The journal of systemd adds the time itself.
    stamp = "" if path is None and os.environ.get("JOURNAL_STREAM") else "%(asctime)s "
    handler.setFormatter(logging.Formatter(f"{stamp}%(levelname)s %(message)s"))
    LOG.addHandler(handler)
    LOG.propagate = False
    LOG.setLevel(logging.DEBUG if debug else logging.INFO)


def _say(text: str) -> None:
    say(f"freezer-scheduler: {text}")


if __name__ == "__main__":
    sys.exit(main())
