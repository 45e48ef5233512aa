# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The small backup of files to folders of the host: the same one, and nothing that it has not been given the parts for."""

from __future__ import annotations

import re

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.backup_local import backup_local
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import OptionError
from ansible_collections.freezer.backup.tests.support.sets import Set, tick


def test_it_makes_the_same_backups_as_the_whole_engine_and_each_goes_on_where_the_other_was(tmp_path):
    some = Set(tmp_path, max_level=3)
    results = []
    for number, backup in enumerate((some.backup, lambda: backup_local(some.options)) * 2):
        (some.source / f"file{number}").write_text(str(number))
        results.append(backup())
        tick()
    assert [(one["level"], one["outcome"]) for one in results] == [(level, "success") for level in range(4)]
    assert len({frozenset(one) for one in results}) == 1
    assert len({frozenset(one["metadata"]) for one in results[1:]}) == 1  # the first has no parent
    assert some.verify(check="restore", compare_to=str(some.source))["outcome"] == "success"


def test_what_it_would_do_is_foretold_and_nothing_is_written(tmp_path):
    some = Set(tmp_path)
    found = backup_local(some.options, dry_run=True)
    assert (found["outcome"], found["level"], some.container.exists()) == ("planned", 0, False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"storage": "swift", "container": "c"}, "storage is swift"),
        ({"nova_inst_id": "5", "path_to_backup": None}, "backup_media is nova"),
        ({"snapshot": "lvm"}, "snapshot is given"),
        ({"lvm_srcvol": "vg/data"}, "snapshot is given"),
        ({"mode": "mysql"}, "set snapshot."),
    ],
)
def test_what_it_has_no_parts_for_is_refused_with_a_sentence(tmp_path, options, said):
    some = Set(tmp_path, **options)
    for dry_run in (True, False):
        with pytest.raises(OptionError, match=re.escape(said)):
            backup_local(some.options, dry_run=dry_run)
    # Of a mode the medium itself says so, when it has its container.
    assert some.container.exists() is ("mode" in options)
