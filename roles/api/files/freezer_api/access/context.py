# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The sender of a request, and the documents that it is about. What the sender may do is in ``policy``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import ID_PATTERN, Kind

from ..errors import NotFoundError
from ..store.base import Owner, Scope, Stored

_PROJECT = Kind(name="project", plural="projects", schema={}, id_pattern=ID_PATTERN)


@dataclass(frozen=True)
class Context:
    """The sender of a request."""

    user_id: str
    project_id: str
    roles: frozenset[str]
    user_name: str = ""
    user_domain_id: str = ""
    project_domain_id: str = ""
    #: The client that the sender is bound to, who sees only documents of this client.
    client_id: str = ""


@dataclass(frozen=True)
class Access:
    """The documents that a request can see, and the owner of those that it creates."""

    scope: Scope
    owner: Owner

    def beside(self, stored: Stored) -> Access:
        """The same access, limited to the project of a document."""
        return replace(self, scope=replace(self.scope, project_id=stored.owner.project_id))


def access(context: Context, project_id: str | None, *, in_all_projects: bool = False) -> Access:
    """The access of a v1 request (``project_id`` None: documents of the user) or of a v2 request (of the project).

    ``in_all_projects`` says that the policy lets the sender act in every project: only then a v1 request sees documents
    that the user has in other projects. Raises NotFoundError for an invalid project id. Whether the sender may act in a
    project is for the policy to decide.
    """
    if project_id is not None and not _PROJECT.is_id(project_id):
        raise NotFoundError("There is no such project: a project id has letters, digits, _ and -")
    if context.client_id:
        # Other users have written the documents of a client, so v1 does not ask for the user.
        return Access(
            Scope(project_id or context.project_id, client_id=context.client_id),
            Owner(context.user_id, project_id or context.project_id),
        )
    if project_id is None:
        home = context.project_id
        scope = Scope(None if in_all_projects else home, context.user_id, home_project_id=home)
        return Access(scope, Owner(context.user_id, home, context.user_name))
    return Access(Scope(project_id=project_id), Owner(context.user_id, project_id, context.user_name))
