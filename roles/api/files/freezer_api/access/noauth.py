# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""No authentication: the caller names a user.

``X-Auth-Token: user:project:role|role``, as in the noauth mode of other OpenStack services. Without a project it is the
user's name, without roles the role is ``member``. A request without the header is the administrator's.
"""

from __future__ import annotations

import re

import falcon

from ..errors import UnauthorizedError
from .context import Context
from .strategy import Strategy

ADMINISTRATOR = Context("admin", "default", frozenset(("admin",)))

_NAME = re.compile(r"[\w-]{1,255}")


class NoAuth(Strategy):
    """Believes every request."""

    def authenticate(self, request: falcon.Request) -> Context:
        token = request.get_header("X-Auth-Token")
        if token is None:
            return ADMINISTRATOR
        user, _colon, rest = token.partition(":")
        project, _colon, roles = rest.partition(":")
        project = project or user
        if not _NAME.fullmatch(user) or not _NAME.fullmatch(project):
            raise UnauthorizedError("X-Auth-Token must be user:project:role|role, of letters, digits, _ and -")
        named = frozenset(role.strip().lower() for role in roles.split("|") if role.strip())
        return Context(user, project, named or frozenset(("member",)))
