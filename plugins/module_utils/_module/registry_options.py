# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say which Freezer API is meant, the same in every module that speaks to one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.secrets import is_secret
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import Registry, connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.environment import (
    with_environment,
)


def registry_options() -> dict[str, dict[str, Any]]:
    """The argument spec of the connection; the doc fragment C(freezer.backup._registry) describes it.

    The aliases are what the collection openstack.cloud calls the same options.

    The environment is looked at by the engine, which knows what belongs together.
    """
    return {
        "url": {"type": "str"},
        "cloud": {"type": "raw"},
        "auth_type": {"type": "str"},
        # Its secrets are made known by secret_values: all of its values would blot names and ids out of every result.
        "auth": {"type": "dict", "no_log": False},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "token": {"type": "str", "no_log": True},
        "project_id": {"type": "str"},
        "region_name": {"type": "str"},
        "interface": {"type": "str", "choices": ["public", "internal", "admin"], "aliases": ["endpoint_type"]},
        "api_version": {"type": "int", "choices": [1, 2]},
        "ca_file": {"type": "path", "aliases": ["ca_cert", "cacert"]},
        "validate_certs": {"type": "bool", "aliases": ["verify"]},
        "client_cert": {"type": "path", "aliases": ["cert"]},
        "client_key": {"type": "path", "no_log": False, "aliases": ["key"]},
        "timeout_seconds": {"type": "float", "default": 30.0, "aliases": ["api_timeout"]},
        "retries": {"type": "int", "default": 3},
    }


def secret_values(params: Mapping[str, Any]) -> set[str]:
    """The secrets inside C(auth) and C(cloud), which Ansible cannot know by their options."""
    cloud = params["cloud"] if isinstance(params["cloud"], Mapping) else {}
    found = [params["auth"], cloud.get("auth")]
    return {
        str(value)
        for auth in found
        if isinstance(auth, Mapping)
        for key, value in auth.items()
        if value and is_secret(key)
    }


def registry_from(params: Mapping[str, Any]) -> Registry:
    """The registry that the options and the environment mean; the API is not asked yet, Keystone may be."""
    return connect(**with_environment({name: params[name] for name in registry_options()}, os.environ))
