# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-agent: the engine's backup, restore, verify and info at a shell, and for a scheduler."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError, parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.spec import (
    ALIASES,
    NODE_KEYS,
    OPTION_KEYS,
)
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.verbs import READ_ACTIONS
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, UnknownOption
from ansible_collections.freezer.backup.plugins.module_utils._engine.progress import Progress
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.streams import (
    give_stdout_up,
    open_standard_streams,
    status_after_output,
)

from . import exit_status
from .answers import Answer, answer_to_descriptor, answer_to_path
from .command_line import NAMES, parse_command_line
from .errors import UsageError
from .exit_status import Interrupted, Signals
from .log_file import LogFile
from .output import Output, say_error
from .settings import Settings, read_settings
from .wording import as_typed

if TYPE_CHECKING:
    from .report import Report


class Run:
    """One call of the program: it learns where to answer before it does anything."""

    def __init__(self) -> None:
        self._debug = False
        #: What messages name as flags: options that were typed, or can be, rather than those of a document or a file.
        self._flags: Collection[str] = OPTION_KEYS
        self._is_document = False
        self._output: Output | None = None
        self._result: Answer | None = None

    def go(self, arguments: Sequence[str], signals: Signals) -> int:
        """Do what the arguments ask for; returns the exit status."""
        try:
            return self._work(arguments, signals)
        except Interrupted:
            return self._failed(f"Ended by {signals.name}; what was begun has been removed.", signals.status)
        except BrokenPipeError:
            # The reader of standard output has seen enough.
            give_stdout_up()
            return exit_status.FAILED
        except UnknownOption as problem:
            # It stands in a file or a document, as all flags are known here, and is meant to be another one there.
            self._flags = ()
            return self._failed(str(problem), exit_status.UNUSABLE)
        except (UsageError, OptionError) as problem:
            return self._failed(str(problem), exit_status.UNUSABLE)
        except FreezerError as problem:
            if signals.received is not None:
                return self._failed(f"Ended by {signals.name}: {problem}", signals.status)
            return self._failed(str(problem), exit_status.FAILED)
        except Exception as problem:  # noqa: BLE001 - nobody should have to read a traceback
            if self._debug:
                traceback.print_exc()
            return self._failed(
                f"This is a fault of the program, or of the system under it: {type(problem).__name__}: {problem}. "
                "With --debug it says where.",
                exit_status.FAILED,
            )

    def _work(self, arguments: Sequence[str], signals: Signals) -> int:
        command_line = parse_command_line(arguments)
        typed = {ALIASES.get(key, key) for key in command_line}
        self._is_document = "stdin" in command_line
        if self._is_document or "config" in command_line:
            self._flags = typed
        self._debug = bool(command_line.get("debug"))
        if "result_fd" in command_line:
            self._result = answer_to_descriptor(command_line["result_fd"])
        record = None
        if "progress_fd" in command_line:
            from .progress_record import ProgressRecord

            record = ProgressRecord(command_line["progress_fd"])
        settings = read_settings(command_line, sys.stdin)
        # Those that stand nowhere can be typed, but in place of a document only what is the node's to say.
        self._flags = typed | ((NODE_KEYS | {"init"} if self._is_document else OPTION_KEYS) - set(settings.options))
        self._debug = settings.debug
        log_file = LogFile(settings.log_file) if settings.log_file else None
        self._output = output = Output(settings.quiet, log_file)
        for sentence in settings.warnings:
            output.warn(sentence)
        metadata = answer_to_path(settings.metadata_out) if settings.metadata_out else None
        if settings.action not in ("exec", "info"):
            options = parse_options(settings.options)
            options.refuse_for(settings.action)
            _tell_chosen(output, options.chosen())
        if settings.action in READ_ACTIONS:
            result = self._read(settings, output, metadata)
        elif settings.action == "restore" and command_line.get("restore_abs_path") == "-":
            result = _to_standard_output(settings, output, record)
        elif settings.action == "mount":
            result = _mount(settings, output)
        else:
            result = _ask_engine(settings, output, record)
        if settings.action == "info":
            _tell_chosen(output, result.get("chosen", ()))
        for sentence in result.get("warnings", ()):
            output.warn(self._said(sentence))
        signals.release()
        nothing = _nothing_found(settings, result) if settings.action == "info" else ""
        if settings.action != "info":
            output.report(_report_on(settings, result))
        elif settings.metadata_out != "-" and not nothing:
            output.listing(result)
        missing = ""
        if metadata is not None and settings.action not in READ_ACTIONS:
            missing = self._not_written(metadata, settings.action, result)
        if self._result is not None:
            self._result.write(result)
        if nothing:
            output.error(nothing)
            return exit_status.FAILED
        status = exit_status.status_of(result)
        if missing:
            output.error(missing)
            # All that info does is to tell.
            return exit_status.FAILED if settings.action == "info" else status or exit_status.PARTIAL
        return status

    @staticmethod
    def _not_written(metadata: Answer, action: str, result: Mapping[str, Any]) -> str:
        """Write what was asked for about a result; if that cannot be, a sentence that says what is there all the same."""
        try:
            metadata.write(result.get("metadata", result))
        except BrokenPipeError:
            raise
        except OSError as problem:
            done = "" if action == "info" else f" The {action} itself is done."
            if action == "backup" and result.get("backup_id"):
                done = f" The backup {result['backup_id']} itself is there."
            return f"The result could not be written to {metadata.describe()}: {problem.strerror}.{done}"
        return ""

    def _read(self, settings: Settings, output: Output, metadata: Answer | None) -> Mapping[str, Any]:
        """Look into backups; what is found is written while it is found."""
        from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.contents import read_contents

        from .contents import Lines

        # What comes with a result is a program, as a scheduler is: the result has the first entries, and its log needs none.
        for_people = settings.metadata_out != "-" and self._result is None
        lines = Lines(settings.action, sys.stdout if for_people else None, metadata)
        try:
            return read_contents(settings.options, settings.action, lines.show)
        finally:
            lines.finish()

    def _failed(self, sentence: str, status: int) -> int:
        sentence = self._said(sentence)
        if self._output is not None:
            self._output.error(sentence)
        else:
            say_error(sentence)
        if self._result is not None:
            try:
                self._result.write({"changed": False, "outcome": "failed", "message": sentence, "exit_status": status})
            except OSError as problem:
                say_error(f"The result could not be written to {self._result.describe()}: {problem.strerror}.")
        return status

    def _said(self, sentence: str) -> str:
        """A sentence of the engine with options as the reader has typed them, in a file, in a document or at a shell."""
        said = as_typed(sentence, OPTION_KEYS & set(self._flags))
        if self._is_document:
            said = said.replace("give --init", "run freezer-agent on this host once with --init")
        return said


def _tell_chosen(output: Output, sentences: Sequence[str]) -> None:
    for sentence in sentences:
        output.tell(as_typed(sentence, OPTION_KEYS))


def _nothing_found(settings: Settings, result: Mapping[str, Any]) -> str:
    """A sentence if a list was asked for by name and has nothing in it, else nothing."""
    asked = {key: settings.options.get(key) for key in ("backup_name", "hostname")}
    if not any(asked.values()) or any(result[key] for key in ("backups", "incomplete", "damaged")):
        return ""
    named = f" called {asked['backup_name']}" if asked["backup_name"] else ""
    of_host = f" of host {asked['hostname']}" if asked["hostname"] else ""
    return f"There is no backup{named}{of_host}. Without --backup-name and --hostname the list has all that there are."


def _to_standard_output(settings: Settings, output: Output, record: Progress | None) -> Mapping[str, Any]:
    """Restore one file to standard output."""
    from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore_file import restore_file

    if settings.metadata_out == "-":
        raise UsageError(
            "--metadata-out - and --restore-abs-path - cannot share standard output; name a file for one of them."
        )
    if os.isatty(sys.stdout.fileno()):
        raise UsageError("The file would be written to a terminal; redirect standard output to a file or a pipe.")
    with output.progress(record) as progress:
        return restore_file(settings.options, sys.stdout.fileno(), progress)


def _mount(settings: Settings, output: Output) -> Mapping[str, Any]:
    """Mount a backup until it is unmounted, or a signal ends that."""
    from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.mount import mount

    from .reports_on_mounts import mounted

    _note_start(settings, output)
    return mount(settings.options, lambda about: output.tell(mounted(about)), output.error)


def _report_on(settings: Settings, result: Mapping[str, Any]) -> Report:
    if settings.action in READ_ACTIONS:
        from .contents import report_on_contents

        return report_on_contents(result)
    if settings.action == "key":
        from .reports_on_keys import report_on_keys

        return report_on_keys(result)
    if settings.action == "mount":
        from .reports_on_mounts import report_on_mount

        return report_on_mount(result)
    from .reports import report_on

    return report_on(settings.action, result, settings.options.get("compare_to"))


def _ask_engine(settings: Settings, output: Output, record: Progress | None) -> Mapping[str, Any]:
    if settings.action == "exec":
        from ansible_collections.freezer.backup.plugins.module_utils._engine.action.execute import execute

        output.note("exec: started")
        return execute(settings.options)
    # Not before it is needed: --help, --version and mistakes should answer at once.
    from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent

    if settings.action == "info":
        return agent.info(settings.options)
    if settings.action == "key":
        return agent.key(settings.options)
    works: dict[str, Callable[[dict[str, Any], Progress], dict[str, Any]]] = {
        "backup": agent.backup,
        "restore": agent.restore,
        "verify": agent.verify,
        "admin": agent.prune,
    }
    _note_start(settings, output)
    with output.progress(record) as progress:
        return works[settings.action](settings.options, progress)


def _note_start(settings: Settings, output: Output) -> None:
    name = settings.options.get("backup_name")
    output.note(f"{settings.action} of {name}: started" if name else f"{settings.action}: started")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit status: 0 done, 1 failed, 2 unusable, 3 partial, 128 + N ended by signal N."""
    open_standard_streams()
    signals = Signals()
    signals.install()
    for stream in (sys.stdout, sys.stderr):
        # A file name that the terminal's encoding lacks must not end a run.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = Run().go(sys.argv[1:] if arguments is None else arguments, signals)
    except SystemExit as ended:  # of argparse, which has printed a help
        raise SystemExit(status_after_output(NAMES[0], int(ended.code or 0))) from None
    return status_after_output(NAMES[0], status)


if __name__ == "__main__":
    sys.exit(main())
