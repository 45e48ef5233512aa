# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The verbs for documents of the API: list, get, create, update, delete, events of jobs, and sessions."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from pathlib import Path
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import without_secrets
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client import jobs as registry_jobs
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client import sessions as registry_sessions
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.collection import Collection
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.select import select
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import NotFound
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.states import in_words

from ..api.upload import upload
from ..core.folder import JobFolder
from ..core.reading import NotRead, parsed
from .command_line import UsageError
from .showing import show_document, show_list, watch


def run(
    flags: argparse.Namespace, registry: Registry, client_id: Callable[[], str], zone: tzinfo, jobs_dir: Path
) -> int:
    """Run a verb such as ``job-list``; returns the exit status. ``zone`` is that of schedules which name none.

    ``jobs_dir`` is the folder of job files if the verb names none. Raises FreezerError, DocumentError, ScheduleError.
    """
    kind, _dash, verb = flags.verb.partition("-")
    collection: Collection = getattr(registry, kind + "s")
    if verb == "list":
        return _list(flags, kind, collection, client_id, zone)
    if verb == "upload":
        return _upload(flags, registry, flags.folder or jobs_dir, client_id)
    if verb == "create":
        if kind == "job" and os.path.isdir(flags.file):
            return _upload(flags, registry, Path(flags.file), client_id)
        return _create(flags, kind, registry, collection, client_id)
    if hasattr(flags, "plain_job_id"):
        document_id, job_id = _ids_in_session(flags)
    else:
        document_id = id_of(flags, kind)
    if verb == "get":
        document = _needed(collection, document_id)
        show_document(shown(document, flags), flags.format or "json")
    elif verb == "update":
        collection.patch(document_id, _document(flags.file))
        print(f"The {kind} {document_id} is changed.", file=sys.stderr)
    elif verb == "delete":
        _delete(kind, registry, collection, document_id)
    elif kind == "job":
        result = registry_jobs.request_event(registry, document_id, verb, check_mode=False)
        schedule = (result.document or {}).get("job_schedule") or {}
        if result.changed:
            said = f"The {verb} of the job {document_id} is requested."
        elif schedule.get("event") == verb:
            said = f"The {verb} of the job {document_id} was requested already."
        else:
            said = f"There is nothing to {verb}: the job {document_id} is {in_words(schedule.get('status'))}."
        print(said, file=sys.stderr)
    elif verb == "add-job":
        registry.add_session_job(document_id, job_id)
        print(f"The job {job_id} is in the session {document_id} and follows its schedule.", file=sys.stderr)
    elif verb == "remove-job":
        registry.remove_session_job(document_id, job_id)
        print(f"The job {job_id} has left the session {document_id}.", file=sys.stderr)
        _warn(registry_sessions.about_stopped(registry, [job_id]))
    else:
        answer = registry_sessions.act(
            registry, document_id, verb, job_id, flags.tag, getattr(flags, "result", None), check_mode=False
        )
        show_document(answer.values, flags.format or "json")
        return 0 if answer.values["result"] == "success" else 1
    return 0


def _list(
    flags: argparse.Namespace, kind: str, collection: Collection, client_id: Callable[[], str], zone: tzinfo
) -> int:
    match: dict[str, Any] = {}
    if kind == "job" and not flags.all_clients:
        match["client_id"] = client_id()
    elif kind == "backup" and flags.client_id:
        match["client_id"] = flags.client_id
    if flags.search:
        match["_all"] = flags.search

    def find() -> list[Mapping[str, Any]]:
        return [shown(one, flags) for one in select(collection, match=match, limit=flags.limit)]

    show_all(flags, kind, find, zone)
    return 0


def show_all(
    flags: argparse.Namespace, kind: str, find: Callable[[], Sequence[Mapping[str, Any]]], zone: tzinfo
) -> None:
    """Show what ``find`` finds: once, or repeatedly with ``--watch``. Raises UsageError."""
    if kind == "job" and flags.watch is not None:
        if flags.watch <= 0:
            raise UsageError("--watch needs a number of seconds above 0.")
        watch(kind, find, flags.watch, time.sleep, zone)
    else:
        show_list(kind, find(), flags.format or "table", zone)


def _create(
    flags: argparse.Namespace, kind: str, registry: Registry, collection: Collection, client_id: Callable[[], str]
) -> int:
    document = _document(flags.file)
    remarks: list[str] = []
    if kind == "job":
        if isinstance(document.get("job"), Mapping):
            # The README of freezer-api also has this form.
            document = dict(document["job"])
        if flags.client_id or not document.get("client_id"):
            document["client_id"] = client_id()
        document = registry_jobs.checked_job(document, remarks)
        if document.get("job_schedule") is None:
            document["job_schedule"] = {}
    elif kind == "session":
        document["schedule"] = registry_jobs.checked_schedule(document.get("schedule")) or {}
    elif kind == "client" and not document.get("client_id"):
        document["client_id"] = flags.client_id or document.get("hostname")
    print(collection.create({key: value for key, value in document.items() if value is not None}))
    _warn(remarks)
    return 0


def _upload(flags: argparse.Namespace, registry: Registry, folder: Path, client_id: Callable[[], str]) -> int:
    is_whole = True
    warned: set[str] = set()
    count = 0
    for one in upload(registry, JobFolder(Path(folder)), client_id(), for_all=bool(flags.client_id)):
        count += 1
        is_whole = is_whole and not one.problem
        print(f"freezer-scheduler: {one}" if one.problem else one, file=sys.stderr)
        for warning in one.warnings:
            if warning not in warned:
                print(f"freezer-scheduler: warning: {warning}", file=sys.stderr)
            warned.add(warning)
        if not one.problem:
            print(one.job_id)
    if not count:
        raise FreezerError(f"The folder {folder} has no job files (*.conf, *.json, *.yaml), so nothing was stored.")
    return 0 if is_whole else 1


def _delete(kind: str, registry: Registry, collection: Collection, document_id: str) -> None:
    _needed(collection, document_id)
    warnings: Sequence[str] = ()
    if kind == "job":
        # It leaves its session first, which would else wait for it for ever.
        registry_jobs.ensure_job(registry, {"job_id": document_id}, "absent", check_mode=False)
    elif kind == "session":
        wanted = {"session_id": document_id}
        warnings = registry_sessions.ensure_session(registry, wanted, None, "absent", check_mode=False).warnings
    else:
        collection.delete(document_id)
    print(f"The {kind} {document_id} is deleted.", file=sys.stderr)
    _warn(warnings)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        print(f"freezer-scheduler: warning: {warning}", file=sys.stderr)


def _needed(collection: Collection, document_id: str) -> dict[str, Any]:
    found = collection.get(document_id)
    if found is None:
        raise NotFound(f"There is no {collection.kind.name} {document_id}.", status=404)
    return found


def id_of(flags: argparse.Namespace, kind: str) -> str:
    """The id in the arguments. Raises UsageError."""
    given = {one for one in (flags.id, flags.named_id) if one}
    if len(given) != 1:
        raise UsageError(f"Which {kind} is meant? {flags.verb} needs one id.")
    return str(given.pop())


def _ids_in_session(flags: argparse.Namespace) -> tuple[str, str]:
    """The ids of the session and of the job in the arguments. Raises UsageError."""
    plain = [one for one in (flags.id, flags.plain_job_id) if one]
    session_id = flags.named_id or (plain.pop(0) if plain else None)
    job_id = flags.job_id or (plain.pop(0) if plain else None)
    if not session_id or not job_id or plain:
        raise UsageError(
            f"Which {'job' if session_id else 'session'} is meant? {flags.verb} needs a session and a job."
        )
    return str(session_id), str(job_id)


def _document(path: str) -> dict[str, Any]:
    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise FreezerError(f"The file {path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    try:
        document = parsed(text, path)
    except NotRead as problem:
        raise FreezerError(f"The file {path} {problem}.") from None
    if not isinstance(document, dict):
        raise FreezerError(f"The file {path} has no object in it; write the document as one.")
    return document


def shown(document: Mapping[str, Any], flags: argparse.Namespace) -> dict[str, Any]:
    """A document, without passwords unless --show-secrets is given."""
    return dict(document) if flags.show_secrets else without_secrets(document)
