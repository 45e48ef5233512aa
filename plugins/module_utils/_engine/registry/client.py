# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The Freezer REST API, v1 and v2, as five collections of documents and the verbs on jobs and sessions.

Contract: the routes of freezer-api's README, and what python-freezerclient sends and expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from ..documents import action, backup, client, job, session
from ..documents.kind import Kind
from .auth import auth_method
from .connection import RETRIES, TIMEOUT_SECONDS, Connection, Tls
from .errors import BadAddress, NotFound, NotFreezer

Document = dict[str, Any]
Documents = list[Document]

API_VERSIONS = (1, 2)
DEFAULT_API_VERSION = 2
DEFAULT_PROJECT_ID = "default"
PAGE = 1000
# A shorter page than this is the last one; a server that cuts pages short cuts them at a rounder number.
SMALLEST_CUT_PAGE = 100


class Round(NamedTuple):
    """What the API answered to the start or end of a job in a session.

    ``result`` is ``success``, ``hold-off`` or ``out-of-sync``; ``session_tag`` is the session's number of the round.
    """

    result: str
    session_tag: int


class Collection:
    """All documents of one kind."""

    def __init__(self, connection: Connection, kind: Kind, root: str) -> None:
        self.kind = kind
        self._connection = connection
        self._root = f"{root}/{kind.plural}"

    def list(self, search: Mapping[str, Any] | None = None, limit: int = 10, offset: int = 0) -> Documents:
        """One page. ``search`` has the keys ``match``, ``match_not``, ``time_after`` and ``time_before``."""
        path = self._root + "?" + urlencode({"limit": limit, "offset": offset})
        answer = self._connection.request("GET", path, document=dict(search) if search else None).document
        found = answer.get(self.kind.plural) if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise _not_freezer("GET", self._connection.url + path, f"a list of {self.kind.plural}")
        return found

    def all(self, search: Mapping[str, Any] | None = None) -> Iterator[Document]:
        """Every document that fits, once, however many pages it takes."""
        seen = set()
        offset = 0
        while True:
            page = self.list(search, limit=PAGE, offset=offset)
            for document in page:
                document_id = self.kind.id_of(document)
                if document_id not in seen:
                    seen.add(document_id)
                    yield document
            offset += len(page)
            if len(page) < SMALLEST_CUT_PAGE:
                return

    def get(self, document_id: str) -> Document | None:
        """The document, or None when there is none with that id."""
        return self.read(document_id)[0]

    def read(self, document_id: str) -> tuple[Document | None, str | None]:
        """The document and the tag of its state; None for what does not exist, or has no tag on this server."""
        try:
            answer = self._connection.request("GET", self._path(document_id))
        except NotFound:
            return None, None
        if not isinstance(answer.document, dict):
            raise _not_freezer("GET", self._connection.url + self._path(document_id), "a document")
        return answer.document, answer.etag

    def create(self, document: Mapping[str, Any]) -> str:
        """Store a new document and return its id."""
        answer = self._connection.request("POST", self._root, document=dict(document), repeatable=False).document
        if not isinstance(answer, dict) or self.kind.id_key not in answer:
            raise _not_freezer("POST", self._connection.url + self._root, "a " + self.kind.id_key)
        return str(answer[self.kind.id_key])

    def replace(self, document_id: str, document: Mapping[str, Any], if_match: str | None = None) -> None:
        """Store the document under this id in place of whatever was there.

        With ``if_match``, the tag of a state, only in place of that state: ``Conflict`` with status 412 otherwise.
        """
        self._connection.request("POST", self._path(document_id), document=dict(document), if_match=if_match)

    def patch(self, document_id: str, changes: Mapping[str, Any]) -> None:
        """Merge the changes into the document: objects by key, everything else as a whole."""
        self._connection.request("PATCH", self._path(document_id), document=dict(changes))

    def delete(self, document_id: str) -> bool:
        """Remove the document; False when there was none."""
        try:
            self._connection.request("DELETE", self._path(document_id))
        except NotFound:
            return False
        return True

    def _path(self, document_id: str) -> str:
        return f"{self._root}/{quote(document_id, safe='')}"


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
        self.clients = Collection(connection, client.KIND, self._root)
        self.actions = Collection(connection, action.KIND, self._root)
        self.jobs = Collection(connection, job.KIND, self._root)
        self.sessions = Collection(connection, session.KIND, self._root)
        self.backups = Collection(connection, backup.KIND, self._root)

    def job_event(self, job_id: str, event: str) -> bool:
        """Ask for ``start``, ``stop`` or ``abort`` of a job; False when that has been asked for already."""
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
    ) -> Round:
        """Tell the session that a job ``start``s or ``end``s (with its ``result``) in the round numbered ``tag``."""
        path = f"{self._root}/sessions/{quote(session_id, safe='')}/action"
        parameters: Document = {"job_id": job_id, "current_tag": tag}
        if result is not None:
            parameters["result"] = result
        # Repeatable: a second start with the old tag joins the round that the first one began, and never begins another.
        answer = self._connection.request("POST", path, document={action: parameters}).document
        if not isinstance(answer, dict) or "session_tag" not in answer:
            raise NotFreezer(f"POST {self.url + path} was answered without a session_tag.")
        return Round(str(answer.get("result")), int(answer["session_tag"]))

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
    url: str,
    auth_type: str = "none",
    username: str | None = None,
    password: str | None = None,
    token: str | None = None,
    project_id: str | None = None,
    ca_file: str | None = None,
    validate_certs: bool = True,
    client_cert: str | None = None,
    client_key: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    retries: int = RETRIES,
    api_version: int | None = None,
) -> Registry:
    """The registry at ``url``, which may end in ``/v1``, ``/v2`` or ``/v2/<project_id>`` as Keystone's catalogue has it.

    Opens no connection yet. Raises ``BadAddress`` when the options do not fit together.
    """
    base, url_version, url_project = _without_version(url)
    if url_version and api_version and url_version != api_version:
        raise BadAddress(f"url {url} is the address of version {url_version} of the API, api_version is {api_version}.")
    if url_project and project_id and url_project != project_id:
        raise BadAddress(f"url {url} names another project than project_id {project_id}.")
    connection = Connection(
        base,
        auth=auth_method(auth_type, username=username, password=password, token=token),
        tls=Tls(ca_file=ca_file, validate_certs=validate_certs, client_cert=client_cert, client_key=client_key),
        timeout_seconds=timeout_seconds,
        retries=retries,
    )
    return Registry(
        connection,
        project_id=project_id or url_project or DEFAULT_PROJECT_ID,
        api_version=api_version or url_version or DEFAULT_API_VERSION,
    )


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


def _not_freezer(method: str, url: str, missing: str) -> NotFreezer:
    return NotFreezer(f"{method} {url} was answered without {missing}. Is this the address of a Freezer API?")
