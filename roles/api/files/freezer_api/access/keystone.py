# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Tokens of OpenStack's Keystone, which keystonemiddleware checks.

Only requests that need authentication go to the middleware: the versions and /healthcheck answer while Keystone is down.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import falcon
from oslo_config import cfg

from ..errors import ForbiddenError, UnauthorizedError, UnavailableError
from .context import Context
from .strategy import AuthError, Strategy
from .token_cache import TokenCache

_SECTION = "keystone_authtoken"
_CACHE_KEY = "freezer.token_cache"
_RETRY_AFTER = {"Retry-After": "10"}
#: The options that a login with a password needs.
_PASSWORD_NEEDS = ("auth_url", "username", "password")
_PASSWORD_TYPES = ("password", "v3password")

#: Defaults that are safer, or quicker, than those of the middleware.
_DEFAULTS = {
    # A Keystone that does not answer must not block the API.
    "http_connect_timeout": 10,
    "http_request_max_retries": 1,
    "service_token_roles_required": True,
    "service_type": "backup",
}


class KeystoneTokens(Strategy):
    """Authenticates against Keystone. Raises AuthError if the configuration is incomplete."""

    def __init__(self, options: cfg.ConfigOpts) -> None:
        # Imported here: it takes half a second, and no other strategy needs it.
        from keystoneauth1 import loading
        from keystoneauth1.exceptions import ClientException
        from keystonemiddleware import auth_token

        for section, known in auth_token.list_opts():
            options.register_opts(known, group=section)
        for name, value in _DEFAULTS.items():
            options.set_default(name, value, _SECTION)
        if not options[_SECTION].memcached_servers:
            options.set_default("cache", _CACHE_KEY, _SECTION)
        self._cache = TokenCache()
        self._client_error = ClientException
        try:
            section = options[_SECTION].auth_section or _SECTION
            loading.register_auth_conf_options(options, section)
            kind = options[section].auth_type
            if kind:
                options.register_opts(loading.get_auth_plugin_conf_options(kind), section)
            _check_login(options, section, kind)
            options.set_default("www_authenticate_uri", options[section].get("auth_url"), _SECTION)
            self._middleware = auth_token.AuthProtocol(_accept, {"oslo_config_config": options})
        except (ClientException, auth_token.ConfigurationError, cfg.Error, ValueError) as error:
            raise AuthError(f"[{_SECTION}] cannot be used: {error}") from error

    def authenticate(self, request: falcon.Request) -> Context:
        environ = request.env
        environ[_CACHE_KEY] = self._cache
        answer: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _failure: Any = None) -> None:
            answer.update(status=int(status.split()[0]), headers=headers)

        is_sent = bool(request.get_header("X-Auth-Token"))
        try:
            for _part in self._middleware(environ, start):
                pass
        except self._client_error as error:
            raise UnavailableError(f"Keystone cannot check tokens: {error}", headers=_RETRY_AFTER) from error
        if answer["status"] == 401:
            challenge = {name: value for name, value in answer["headers"] if name.lower() == "www-authenticate"}
            description = "The token is invalid or has expired" if is_sent else "Send a token in X-Auth-Token"
            raise UnauthorizedError(f"{description}; get one from Keystone", headers=challenge)
        if answer["status"] != 200:
            raise UnavailableError(
                "Keystone does not answer, or refuses the login of this API, so no caller can be authenticated now",
                headers=_RETRY_AFTER,
            )
        return _context(environ)


def _accept(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The application behind the middleware: a request that gets here has a valid token."""
    start_response("200 OK", [])
    return []


def _context(environ: dict[str, Any]) -> Context:
    def header(name: str) -> str:
        return str(environ.get(f"HTTP_X_{name}") or "")

    if not header("PROJECT_ID"):
        raise ForbiddenError("The token is not scoped to a project; get one from Keystone that is")
    return Context(
        user_id=header("USER_ID"),
        project_id=header("PROJECT_ID"),
        roles=frozenset(role.strip().lower() for role in header("ROLES").split(",") if role.strip()),
        user_name=header("USER_NAME"),
        user_domain_id=header("USER_DOMAIN_ID"),
        project_domain_id=header("PROJECT_DOMAIN_ID"),
    )


def _check_login(options: cfg.ConfigOpts, section: str, kind: str | None) -> None:
    """Raise AuthError unless the options have the login of the API itself."""
    if not kind:
        raise AuthError(
            f"keystone needs the login of freezer-api itself: write auth_type = password, "
            f"{', '.join(_PASSWORD_NEEDS)}, project_name, user_domain_name and project_domain_name into [{section}]"
        )
    missing = [name for name in _PASSWORD_NEEDS if kind in _PASSWORD_TYPES and not options[section][name]]
    if missing:
        raise AuthError(f"[{section}] lacks {', '.join(missing)}; auth_type = {kind} needs it")
