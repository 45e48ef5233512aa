# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Who sent a request, what that one may do, and whose documents the request is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.kind import ID_PATTERN, Kind

from .errors import ForbiddenError, NotFoundError
from .store.base import EVERYBODY, Owner, Scope

_PROJECT = Kind(name="project", plural="projects", schema={}, id_pattern=ID_PATTERN)

_WRITERS = frozenset(("admin", "member"))
_READERS = frozenset(("admin", "member", "reader", "service"))
#: The scheduler's service user records backups and reads jobs across projects.
_BACKUP_WRITERS = _WRITERS | {"service"}
_ALL_PROJECTS_READERS = frozenset(("admin", "service"))


@dataclass(frozen=True)
class Context:
    """The sender of a request."""

    user_id: str
    project_id: str
    roles: frozenset[str]
    user_name: str = ""
    user_domain_id: str = ""
    project_domain_id: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether the sender may work in every project."""
        return "admin" in self.roles


@dataclass(frozen=True)
class Access:
    """What one request is about: the documents that it can see, and who owns the ones that it makes."""

    scope: Scope
    owner: Owner


def access(context: Context, project_id: str | None) -> Access:
    """The access of a v1 request (``project_id`` None: documents of the user) or of a v2 request (of the project).

    Raises ForbiddenError for a project that is not the sender's.
    """
    if project_id is None:
        scope = Scope(user_id=context.user_id, home_project_id=context.project_id)
        return Access(scope, Owner(context.user_id, context.project_id))
    if not _PROJECT.is_id(project_id):
        raise NotFoundError("There is no project of this name: letters, digits, _ and - make one")
    if project_id != context.project_id and not context.is_admin:
        raise ForbiddenError(f"You are not in the project {project_id}")
    return Access(Scope(project_id=project_id), Owner(context.user_id, project_id))


def authorize_read(context: Context) -> None:
    """Raise ForbiddenError unless the sender may read documents."""
    _authorize(context, _READERS, "read")


def authorize_write(context: Context, kind: Kind) -> None:
    """Raise ForbiddenError unless the sender may create, change and delete documents of this kind."""
    _authorize(context, _BACKUP_WRITERS if kind.name == "backup" else _WRITERS, f"write {kind.plural}")


def all_projects(context: Context) -> Scope:
    """The scope of a list over all projects. Raises ForbiddenError unless the sender may see that."""
    _authorize(context, _ALL_PROJECTS_READERS, "see all projects")
    return EVERYBODY


def _authorize(context: Context, roles: Collection[str], what: str) -> None:
    if context.roles.isdisjoint(roles):
        raise ForbiddenError(f"To {what} takes one of the roles {', '.join(sorted(roles))}")
