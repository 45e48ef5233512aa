# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The documents of one kind at a Freezer API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote, urlencode

from ..documents.kind import Kind
from ..http.connection import Connection
from ..http.errors import NotFound, WrongService

Document = dict[str, Any]
Documents = list[Document]
#: A document and the tag of its state, None where the server has none.
Tagged = tuple[Document, Optional[str]]

PAGE = 1000
# A shorter page than this is the last one; a server that cuts pages short cuts them at a rounder number.
SMALLEST_CUT_PAGE = 100


class Collection:
    """All documents of one kind, with ``project_id`` those of a project, without it those of a user."""

    def __init__(self, connection: Connection, kind: Kind, root: str, project_id: str | None = None) -> None:
        self.kind = kind
        self._project_id = project_id
        self._connection = connection
        self._root = f"{root}/{kind.plural}"
        self._tags_states: bool | None = None
        #: Whether a list of the server had something in it that is no document.
        self.has_left_out = False

    def list(self, search: Mapping[str, Any] | None = None, limit: int = 10, offset: int = 0) -> Documents:
        """One page. ``search`` has the keys ``match``, ``match_not``, ``time_after`` and ``time_before``."""
        page = self._page(search, {"limit": limit, "offset": offset})
        return [document for document, _tag in self._usable(page) if self._is_ours(document)]

    def all(self, search: Mapping[str, Any] | None = None) -> Iterator[Document]:
        """Every document that fits, once, however many pages it takes."""
        return (document for document, _tag in self._all(search))

    def all_tagged(self, search: Mapping[str, Any] | None = None) -> Iterator[Tagged]:
        """As ``all``, each with the tag of its state, or None where the server has none in lists."""
        return self._all(search, etags="true")

    def all_unless_known(
        self, tag: str | None, search: Mapping[str, Any] | None = None
    ) -> tuple[str | None, Iterator[Documents] | None, dict[str, str]]:
        """As ``all``, in pages, unless this collection is still in the state with this tag: then None in their place.

        Also the tag of the state, or None where the server has none, and the tags of documents by their id; both are
        complete when the last page was taken. The tag is for this search only.
        """
        path = self._root + "?" + urlencode({"limit": PAGE, "offset": 0, "etags": "true"})
        body = dict(search) if search else None
        answer = self._connection.request("GET", path, document=body, if_none_match=tag)
        if answer.status == 304:
            return tag, None, {}
        tags: dict[str, str] = {}

        def documents() -> Iterator[Documents]:
            for page in self._pages(search, self._documents(answer.document, self._root), etags="true"):
                tags.update({str(self.kind.id_of(document)): tag for document, tag in page if tag is not None})
                yield [document for document, _tag in page if self._is_ours(document)]

        return answer.etag, documents(), tags

    def _all(self, search: Mapping[str, Any] | None, **parameters: str) -> Iterator[Tagged]:
        seen = set()
        for page in self._pages(search, None, **parameters):
            for document, tag in page:
                document_id = self.kind.id_of(document)
                if document_id not in seen and self._is_ours(document):
                    seen.add(document_id)
                    yield document, tag

    def _pages(
        self, search: Mapping[str, Any] | None, first: Sequence[Tagged] | None, **parameters: str
    ) -> Iterator[Sequence[Tagged]]:
        """The documents of page after page; ``first`` is the first one, if it is here already."""
        offset = 0
        while True:
            page = self._page(search, {"limit": PAGE, "offset": offset, **parameters}) if first is None else first
            yield self._usable(page)
            offset += len(page)
            if len(page) < SMALLEST_CUT_PAGE:
                return
            first = None

    def _page(self, search: Mapping[str, Any] | None, parameters: Mapping[str, Any]) -> Sequence[Tagged]:
        path = self._root + "?" + urlencode(parameters)
        answer = self._connection.request("GET", path, document=dict(search) if search else None).document
        return self._documents(answer, path)

    def _documents(self, answer: Any, path: str) -> Sequence[Tagged]:
        found = answer.get(self.kind.plural) if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise _not_freezer("GET", self._connection.url + path, f"a list of {self.kind.plural}")
        tags = answer.get("etags")
        if not isinstance(tags, list) or len(tags) != len(found):
            tags = [None] * len(found)
        return [(document, tag if isinstance(tag, str) else None) for document, tag in zip(found, tags)]

    def _usable(self, page: Sequence[Tagged]) -> Sequence[Tagged]:
        """What of a page is documents: one broken row must not hide the others."""
        found = [(document, tag) for document, tag in page if isinstance(document, dict)]
        self.has_left_out = self.has_left_out or len(found) < len(page)
        return found

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
        self._tags_states = answer.etag is not None
        return (answer.document, answer.etag) if self._is_ours(answer.document) else (None, None)

    def tags_states(self, document_id: str) -> bool:
        """Whether this server tags the states of documents, as far as this one shows."""
        if self._tags_states is None:
            self.read(document_id)
        return bool(self._tags_states)

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

    def patch(self, document_id: str, changes: Mapping[str, Any], if_match: str | None = None) -> None:
        """Merge the changes into the document: objects by key, everything else as a whole.

        With ``if_match``, the tag of a state, only into that state: ``Conflict`` with status 412 otherwise.
        """
        self._connection.request("PATCH", self._path(document_id), document=dict(changes), if_match=if_match)

    def delete(self, document_id: str) -> bool:
        """Remove the document; False when there was none."""
        try:
            self._connection.request("DELETE", self._path(document_id))
        except NotFound:
            return False
        return True

    def batch(self, operations: Sequence[Mapping[str, Any]]) -> Documents:
        """Do many writes in one request, each whole or not at all, and return an answer for each, in their order.

        An operation has ``op`` (``replace``, ``patch`` or ``delete``), the id, ``document`` or ``changes``, and maybe
        ``if_match``. An answer has ``status``, and ``title`` and ``description`` where that is no success. Raises
        ``NotFound`` or ``NotAllowed`` where the server has no such route.
        """
        # Repeatable: what was done already is done again, gone already, or not in the state that was meant any more.
        answer = self._connection.request("POST", self._root + ":batch", document={"items": list(operations)}).document
        answers = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(answers, list) or len(answers) != len(operations):
            raise _not_freezer("POST", self._connection.url + self._root + ":batch", "an answer for each item")
        return answers

    def _is_ours(self, document: Mapping[str, Any]) -> bool:
        """Whether it belongs to the project: upstream shows the jobs of all projects to administrators.

        Clients that serve all projects are shown to everybody on purpose.
        """
        owner = document.get("project_id")
        return self.kind.name == "client" or None in (owner, self._project_id) or owner == self._project_id

    def _path(self, document_id: str) -> str:
        return f"{self._root}/{quote(document_id, safe='')}"


def _not_freezer(method: str, url: str, missing: str) -> WrongService:
    return WrongService(f"{method} {url} was answered without {missing}. Is this the address of a Freezer API?")
