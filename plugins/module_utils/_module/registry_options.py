# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which Freezer API is meant, the same in every module that speaks to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from ansible_collections.freezer.backup.plugins.module_utils._engine.registry.auth import AUTH_TYPES
from ansible_collections.freezer.backup.plugins.module_utils._engine.registry.client import Registry, connect

# The names of the environment variables are those of keystoneauth and python-freezerclient.
_ENVIRONMENT = {
    "url": ["OS_BACKUP_URL", "OS_ENDPOINT"],
    "auth_type": ["OS_AUTH_TYPE"],
    "username": ["OS_USERNAME"],
    "password": ["OS_PASSWORD"],
    "token": ["OS_TOKEN"],
    "project_id": ["OS_PROJECT_ID"],
    "api_version": ["OS_BACKUP_API_VERSION"],
    "ca_file": ["OS_CACERT"],
    "client_cert": ["OS_CERT"],
    "client_key": ["OS_KEY"],
}


def registry_options(url_required: bool = True) -> dict[str, dict[str, Any]]:
    """The argument spec of the connection; the doc fragment C(freezer.backup._registry) describes it."""
    options: dict[str, dict[str, Any]] = {
        "url": {"type": "str", "required": url_required},
        "auth_type": {"type": "str", "choices": list(AUTH_TYPES), "default": "none"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "token": {"type": "str", "no_log": True},
        "project_id": {"type": "str"},
        "api_version": {"type": "int", "choices": [1, 2]},
        "ca_file": {"type": "path"},
        "validate_certs": {"type": "bool", "default": True},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "timeout_seconds": {"type": "float", "default": 30.0},
        "retries": {"type": "int", "default": 3},
    }
    for name, variables in _ENVIRONMENT.items():
        options[name]["fallback"] = (env_fallback, variables)
    return options


def registry_from(params: Mapping[str, Any]) -> Registry:
    """The registry that the options mean; opens no connection yet."""
    return connect(**{name: params[name] for name in registry_options()})
