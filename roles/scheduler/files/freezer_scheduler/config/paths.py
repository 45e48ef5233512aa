# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Relative paths: they are relative to the folder where the command was run, which a background scheduler leaves."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

#: Environment variables that name a file or a folder for this program, for agents, or for their libraries.
_VARIABLES = (
    *("OS_CACERT", "OS_CERT", "OS_KEY", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_CLIENT_VENDOR_FILE"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("FREEZER_BACKUP_STATE", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TMPDIR"),
)
#: Options of a connection that name a file.
_OPTIONS = ("ca_file", "client_cert", "client_key")


def current_folder() -> Path:
    """The folder where the command was run; / if it has been removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path("/")


def absolute(name: str | Path, folder: Path) -> Path:
    """An absolute path, with ``~`` as the home."""
    return folder / os.path.expanduser(name)


def with_absolute_files(api: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The options of a connection, with absolute paths."""
    named = {key: str(absolute(api[key], folder)) for key in _OPTIONS if api.get(key)}
    return {**api, **named}


def settle(environ: MutableMapping[str, str], folder: Path) -> None:
    """Make the paths in the environment, and those where openstacksdk looks for files, absolute."""
    for name in _VARIABLES:
        if environ.get(name):
            environ[name] = str(absolute(environ[name], folder))
    # It looks for clouds.yaml in the folder where it is imported.
    with contextlib.suppress(ImportError, FileNotFoundError):
        importlib.import_module("openstack.config.loader")
