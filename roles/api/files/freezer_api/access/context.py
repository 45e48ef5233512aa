# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who sent a request, and whose documents it is about. What that one may do is in ``policy``."""

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
    #: The client that the sender is bound to: of what there is, only this client's is to be seen.
    client_id: str = ""


@dataclass(frozen=True)
class Access:
    """What one request is about: the documents that it can see, and who owns the ones that it makes."""

    scope: Scope
    owner: Owner

    def beside(self, stored: Stored) -> Access:
        """The same access, only to what is in the project of a document."""
        return replace(self, scope=replace(self.scope, project_id=stored.owner.project_id))


def access(context: Context, project_id: str | None, *, in_all_projects: bool = False) -> Access:
    """The access of a v1 request (``project_id`` None: documents of the user) or of a v2 request (of the project).

    ``in_all_projects`` says that the policy lets the sender act in whatever project: only then a v1 request is about
    documents that the user has in another project than the one that the request is for. Raises NotFoundError for what
    cannot be a project. Whether the sender may act in a project the policy says.
    """
    if project_id is not None and not _PROJECT.is_id(project_id):
        raise NotFoundError("There is no project of this name: letters, digits, _ and - make one")
    if context.client_id:
        # What a client has, others have written for it: it is the same on v1.
        return Access(
            Scope(project_id or context.project_id, client_id=context.client_id),
            Owner(context.user_id, project_id or context.project_id),
        )
    if project_id is None:
        home = context.project_id
        scope = Scope(None if in_all_projects else home, context.user_id, home_project_id=home)
        return Access(scope, Owner(context.user_id, home, context.user_name))
    return Access(Scope(project_id=project_id), Owner(context.user_id, project_id, context.user_name))
