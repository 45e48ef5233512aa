# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What ``auth`` says, in the words of the classes of keystoneauth1 that most logins use.

keystoneauth1 refuses a name without a domain and more than one thing that a token is for; openrc files and clouds have
both. The order here is the one of what a token can be for, narrowest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ...http.connection import server_address
from ...http.errors import BadAddress

DEFAULT_DOMAIN_ID = "default"

#: ``auth_type`` to the class of ``keystoneauth1.identity.v3``. The plugins that find the version of Keystone out first
#: (``password`` and ``token``) ask once more for each login, and there is one version only.
_CLASSES = {
    "password": "Password",
    "v3password": "Password",
    "v3applicationcredential": "ApplicationCredential",
    "token": "Token",
    "v3token": "Token",
}


class Login(NamedTuple):
    """The name of a class of ``keystoneauth1.identity.v3``, and what it is made with. Holds secrets."""

    kind: str
    options: Mapping[str, Any]


def usual_login(auth_type: str, auth: Mapping[str, Any]) -> Login | None:
    """The login for a password, an application credential or a token; None for every other ``auth_type``.

    ``auth`` has keystoneauth's keys (``auth_url``, ``username``, ``project_name``, ...). Raises ``BadAddress`` where
    they say too little.
    """
    kind = _CLASSES.get(auth_type)
    if kind is None:
        return None
    options: dict[str, Any] = {"auth_url": _versioned(_required(auth, "auth_url", auth_type))}
    if kind == "Password":
        options.update(_user(auth, auth_type), password=_required(auth, "password", auth_type))
    elif kind == "Token":
        options["token"] = _required(auth, "token", auth_type)
    else:
        options["application_credential_secret"] = _required(auth, "application_credential_secret", auth_type)
        if auth.get("application_credential_id"):
            options["application_credential_id"] = auth["application_credential_id"]
        else:
            # Names of application credentials are unique for their user only.
            options["application_credential_name"] = _required(auth, "application_credential_name", auth_type)
            options.update(_user(auth, auth_type))
    if kind != "ApplicationCredential":
        # That one is for its project and for nothing else.
        options.update(_scope(auth))
    return Login(kind, options)


def _user(auth: Mapping[str, Any], auth_type: str) -> dict[str, Any]:
    if auth.get("user_id"):
        return {"user_id": auth["user_id"]}
    return {"username": _required(auth, "username", auth_type), **_domain(auth, "user")}


def _domain(auth: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The domain of a user or project. It is Keystone's default one where none is named."""
    for prefix in (owner, "default"):
        for key in ("id", "name"):
            value = auth.get(f"{prefix}_domain_{key}")
            if value:
                return {f"{owner}_domain_{key}": value}
    return {f"{owner}_domain_id": DEFAULT_DOMAIN_ID}


def _scope(auth: Mapping[str, Any]) -> dict[str, Any]:
    """The one thing that the token is for."""
    if auth.get("trust_id"):
        return {"trust_id": auth["trust_id"]}
    project_id = auth.get("project_id") or auth.get("tenant_id")
    if project_id:
        return {"project_id": project_id}
    project_name = auth.get("project_name") or auth.get("tenant_name")
    if project_name:
        return {"project_name": project_name, **_domain(auth, "project")}
    for key in ("domain_id", "domain_name"):
        if auth.get(key):
            return {key: auth[key]}
    return {"system_scope": "all"} if auth.get("system_scope") else {}


def _required(auth: Mapping[str, Any], key: str, auth_type: str) -> str:
    value = auth.get(key)
    if not value:
        raise BadAddress(f"auth_type {auth_type} needs {key} in auth.")
    return str(value)


def _versioned(auth_url: str) -> str:
    stem = auth_url.rstrip("/")
    server_address(stem)
    if urlsplit(stem).path.endswith("/v2.0"):
        raise BadAddress(f"auth_url {auth_url} is the address of version 2.0 of Keystone; give that of version 3.")
    return stem if stem.endswith("/v3") else stem + "/v3"
