# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter that tells two folders of the controller apart."""

from __future__ import annotations

import os

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter.tree_differences import tree_differences


@pytest.fixture
def folders(tmp_path):
    pair = [tmp_path / "one", tmp_path / "other"]
    for folder in pair:
        folder.mkdir()
        (folder / "file").write_text("text")
        os.utime(folder / "file", (1, 1))
        os.utime(folder, (1, 1))
    return [str(folder) for folder in pair]


def test_equal_folders_have_no_differences(folders):
    assert tree_differences(*folders) == []


def test_each_path_that_differs_is_named_with_what_differs(folders):
    one, other = folders
    with open(f"{other}/file", "w") as file:
        file.write("other text")
    os.chmod(f"{other}/file", 0o600)
    assert tree_differences(one, other) == ["file: content, mode, mtime"]


def test_a_path_that_is_no_folder_is_an_error_of_the_template(folders):
    with pytest.raises(AnsibleFilterError, match="compares folders"):
        tree_differences(folders[0], "/there/is/none")
