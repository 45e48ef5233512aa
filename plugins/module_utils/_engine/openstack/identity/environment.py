# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""What the environment says about the connection, in the variables of OpenStack's clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Option of ``connect`` to the variables that may say it, the first one that does goes before the others.
VARIABLES: Mapping[str, tuple[str, ...]] = {
    "url": ("OS_BACKUP_URL", "OS_ENDPOINT"),
    "auth_type": ("OS_AUTH_TYPE",),
    "username": ("OS_USERNAME",),
    "password": ("OS_PASSWORD",),
    "token": ("OS_TOKEN",),
    "project_id": ("OS_PROJECT_ID",),
    "api_version": ("OS_BACKUP_API_VERSION",),
    "ca_file": ("OS_CACERT",),
    "client_cert": ("OS_CERT",),
    "client_key": ("OS_KEY",),
    "region_name": ("OS_REGION_NAME",),
    "interface": ("OS_INTERFACE", "OS_ENDPOINT_TYPE"),
}
CLOUD_VARIABLE = "OS_CLOUD"
CLOUDS_FILE_VARIABLE = "OS_CLIENT_CONFIG_FILE"
SECURE_FILE_VARIABLE = "OS_CLIENT_SECURE_FILE"
AUTH_URL_VARIABLE = "OS_AUTH_URL"

#: As the name of a cloud: the only one of ``clouds.yaml``.
ONLY_CLOUD = ""

# Those of all variables that begin like the ones of credentials, and are none.
_NO_CREDENTIALS = {
    *(variable for variables in VARIABLES.values() for variable in variables),
    CLOUD_VARIABLE,
    CLOUDS_FILE_VARIABLE,
    SECURE_FILE_VARIABLE,
    "OS_CLIENT_VENDOR_FILE",
    "OS_IDENTITY_API_VERSION",
}


def with_environment(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The options of ``connect`` with what the environment says where they say nothing.

    ``cloud`` and ``auth`` say everything, so that the environment's credentials do not mix with others. A ``url`` without
    ``auth_type`` names no user: the environment's credentials for Keystone are not taken to any server.
    """
    if options.get("cloud") is not None or options.get("auth") is not None:
        return dict(options)
    auth_type = options.get("auth_type") or environ.get("OS_AUTH_TYPE")
    wants_keystone = options.get("url") is None if auth_type is None else auth_type not in ("none", "http_basic")
    if wants_keystone and environ.get(CLOUD_VARIABLE):
        return {**options, "cloud": environ[CLOUD_VARIABLE]}
    known = dict(options)
    for name, variables in VARIABLES.items():
        if known.get(name) is None:
            known[name] = next((environ[variable] for variable in variables if environ.get(variable)), None)
    if wants_keystone and environ.get(AUTH_URL_VARIABLE):
        known["auth"] = _credentials(environ, with_project=options.get("project_id") is None)
    elif wants_keystone and known["auth_type"] is None and environ.get(CLOUDS_FILE_VARIABLE):
        # AWX's credential for OpenStack sets nothing else, and writes a file with one cloud.
        return {**options, "cloud": ONLY_CLOUD}
    return known


def _credentials(environ: Mapping[str, str], with_project: bool) -> dict[str, str]:
    """Every option of keystoneauth's plugins that there is a variable for: ``OS_USER_DOMAIN_NAME`` and the like."""
    other_projects = () if with_project else ("OS_PROJECT_NAME", "OS_TENANT_NAME", "OS_TENANT_ID")
    return {
        variable[len("OS_") :].lower(): value
        for variable, value in environ.items()
        if variable.startswith("OS_") and value and variable not in _NO_CREDENTIALS and variable not in other_projects
    }
