# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The Freezer REST API, v1 and v2, as five collections of documents and the verbs on jobs and sessions.

Contract: the routes of freezer-api's README, and what python-freezerclient sends and expects.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..documents import action, kinds
from ..http.connection import Connection
from ..http.errors import BadAddress, WrongService
from ..http.repeating import RETRIES, TIMEOUT_SECONDS
from ..openstack.identity.keystoneauth import DEFAULT_INTERFACE, SERVICE_TYPE, Keystoneauth
from ..openstack.identity.login import auth_method, complete, tls_of
from ..openstack.transport import Transport
from ..schedule.rounds import Answer
from .collection import Collection, Document
from .errors import FREEZER

API_VERSIONS = (1, 2)
DEFAULT_API_VERSION = 2
DEFAULT_PROJECT_ID = "default"


class Registry:
    """A Freezer API. ``project_id`` is the project in the addresses of v2; v1 knows none."""

    def __init__(
        self,
        connection: Connection,
        project_id: str = DEFAULT_PROJECT_ID,
        api_version: int = DEFAULT_API_VERSION,
    ) -> None:
        if api_version not in API_VERSIONS:
            raise BadAddress(f"api_version is {api_version}, Freezer has 1 and 2.")
        self.url = connection.url
        self.project_id = project_id
        self.api_version = api_version
        self._connection = connection
        self._root = "/v1" if api_version == 1 else "/v2/" + quote(project_id, safe="")
        owner = None if api_version == 1 else project_id
        self.clients = Collection(connection, kinds.CLIENT, self._root, owner)
        self.actions = Collection(connection, action.KIND, self._root, owner)
        self.jobs = Collection(connection, kinds.JOB, self._root, owner)
        self.sessions = Collection(connection, kinds.SESSION, self._root, owner)
        self.backups = Collection(connection, kinds.BACKUP, self._root, owner)

    def job_event(self, job_id: str, event: str) -> bool:
        """Ask for ``start``, ``stop`` or ``abort`` of a job; False when that was asked for before, or changes nothing."""
        path = f"{self._root}/jobs/{quote(job_id, safe='')}/event"
        # Not repeatable: the scheduler may have taken the first event, and a second would run the job twice.
        answer = self._connection.request("POST", path, document={event: None}, repeatable=False).document
        return isinstance(answer, dict) and answer.get("result") == "success"

    def session_action(
        self,
        session_id: str,
        action: str,
        job_id: str,
        tag: int,
        result: str | None = None,
    ) -> Answer:
        """Tell the session that a job ``start``s or ``end``s (with its ``result``) in the round numbered ``tag``."""
        path = f"{self._root}/sessions/{quote(session_id, safe='')}/action"
        parameters: Document = {"job_id": job_id, "current_tag": tag}
        if result is not None:
            parameters["result"] = result
        # Repeatable: a second start with the old tag joins the round that the first one began, and never begins another.
        answer = self._connection.request("POST", path, document={action: parameters}).document
        if not isinstance(answer, dict) or "session_tag" not in answer:
            raise WrongService(f"POST {self.url + path} was answered without a session_tag.")
        return Answer(str(answer.get("result")), int(answer["session_tag"]))

    def add_session_job(self, session_id: str, job_id: str) -> None:
        """Make the job a member of the session; it takes over the session's schedule."""
        self._connection.request("PUT", self._member(session_id, job_id))

    def remove_session_job(self, session_id: str, job_id: str) -> None:
        """Take the job out of the session; it is stopped."""
        self._connection.request("DELETE", self._member(session_id, job_id))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _member(self, session_id: str, job_id: str) -> str:
        return f"{self._root}/sessions/{quote(session_id, safe='')}/jobs/{quote(job_id, safe='')}"


def connect(
    url: str | None = None,
    *,
    project_id: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    retries: int = RETRIES,
    **login: Any,
) -> Registry:
    """The registry at ``url``, which may end in ``/v1``, ``/v2`` or ``/v2/<project_id>`` as Keystone's catalogue has it.

    Without ``url`` the catalogue is asked for it, and Keystone for the project, if ``login`` says which: its keys are
    those of `complete`, and ``api_version``. The Freezer API itself is not asked yet. Raises ``BadAddress`` when the
    options do not fit together.
    """
    options = complete({"url": url, "project_id": project_id, **login})
    tls = tls_of(options)
    method = auth_method(options["auth_type"], options["auth"], Transport(tls, timeout_seconds, retries))
    of_service = options["services"]
    address = options.get("url") or method.endpoint(
        of_service.get("backup_interface") or options.get("interface") or DEFAULT_INTERFACE,
        of_service.get("backup_region_name") or options.get("region_name"),
        of_service.get("backup_service_type") or SERVICE_TYPE,
        of_service.get("backup_service_name"),
    )
    if not address:
        raise BadAddress("Where is the Freezer API? Give url, or cloud or auth, so that Keystone's catalogue says it.")
    base, url_version, url_project = _without_version(str(address))
    version = _version(options.get("api_version"), url_version, str(address))
    project = project_id or url_project or (method.project_id() if version == 2 else None)
    if url and url_project and project != url_project:
        raise BadAddress(f"url {address} names another project than project_id {project_id}.")
    if version == 2 and not project and isinstance(method, Keystoneauth):
        raise BadAddress("The credentials are for no project; say with project_id, or project_name in auth, which.")
    connection = Connection(base, method, tls, timeout_seconds, retries, service=FREEZER)
    return Registry(connection, project or DEFAULT_PROJECT_ID, version)


def _version(wanted: Any, of_address: int | None, address: str) -> int:
    text = str(wanted).strip("v") if wanted else str(of_address or DEFAULT_API_VERSION)
    version = int(text.partition(".")[0]) if text[:1].isdigit() else 0
    if of_address and of_address != version:
        raise BadAddress(f"url {address} is the address of version {of_address} of the API, api_version is {version}.")
    return version


def _without_version(url: str) -> tuple[str, int | None, str | None]:
    """The address without the part that ``Registry`` adds, and the version and project that this part names."""
    stem = url.rstrip("/")
    before, _slash, last = stem.rpartition("/")
    if last == "v1":
        return before, 1, None
    if last == "v2":
        return before, 2, None
    if before.endswith("/v2") and last:
        return before[: -len("/v2")], 2, last
    return stem, None, None
