# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The folders that the environment names: for temporary files, and for what a host remembers."""

from __future__ import annotations

import tempfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.state_file import default_state_folder
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.errors import HostError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.scratch import need_room


def test_a_host_without_a_usable_temporary_folder_is_told_what_to_name(monkeypatch):
    def none_usable():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none_usable)
    with pytest.raises(HostError, match="^There is no folder for temporary files.*TMPDIR"):
        need_room(1, "a scratch copy")


def test_a_relative_state_folder_is_refused(monkeypatch):
    monkeypatch.setenv("FREEZER_BACKUP_STATE", "state")
    with pytest.raises(StorageError, match="^FREEZER_BACKUP_STATE has to be the absolute path of a folder"):
        default_state_folder()
