# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Names that other hosts could not read, and two storages that are one folder, are refused before anything is written."""

from __future__ import annotations

import json
import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import SAME_PLACE, parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.tests.support import agent_process
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.mark.parametrize("option", ["backup_name", "hostname"])
def test_a_name_that_is_no_utf_8_is_refused_for_a_new_backup(one_set, option):
    write(one_set.source / "file")
    with pytest.raises(FreezerError, match=rf"^The {option} 'b\\udcff' is no text in UTF-8; use a locale of UTF-8"):
        one_set.backup(**{option: "b\udcff"})
    assert not one_set.container.exists()


def test_a_name_that_the_locale_writes_in_other_bytes_is_refused_for_a_new_backup(one_set, monkeypatch):
    write(one_set.source / "file")
    refusal = "would be written in {}, and other hosts could not read the backup; use a locale of UTF-8"
    environ = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    process = agent_process.start("backup", {**one_set.options, "backup_name": "g\u00fcn"}, env=environ)
    said, complained = process.communicate(timeout=60)
    assert complained == b""
    assert refusal.format("ascii") in json.loads(said)["error"]
    # A locale of Turkish, which a machine for tests need not have.
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode("iso8859-9"))
    with pytest.raises(FreezerError, match=refusal.format(".*")):
        one_set.backup(backup_name="g\u00fcn")
    assert not one_set.container.exists()


@pytest.mark.parametrize("other", ["{}/", "{}/.", "/{}", "{}/../container", "{}-link"])
def test_one_folder_in_two_spellings_is_one_place(one_set, other):
    write(one_set.source / "file")
    os.symlink(one_set.container, f"{one_set.container}-link")
    places = [str(one_set.container), other.format(one_set.container)]
    storages = [{"storage": "local", "container": place} for place in places]
    if "link" not in other:
        with pytest.raises(FreezerError, match=SAME_PLACE):
            parse_options({"storages": storages}).locations()
    with pytest.raises(FreezerError, match=SAME_PLACE):
        one_set.backup(container=None, storage=None, storages=storages)
    assert not one_set.container.exists()
