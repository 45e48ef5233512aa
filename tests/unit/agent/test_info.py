# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is listed: whole backups, half ones, damaged ones, and nothing that is not ours."""

from __future__ import annotations

import json

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.storage.errors import StorageError
from ansible_collections.freezer.backup.tests.support.guards import folder_without_root, without_root
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture
def container(tmp_path):
    """Two hosts with two names each in one container, one of the sets with two backups."""
    some = Set(tmp_path, max_level=3)
    write(some.source / "file", b"content")
    for hostname in ("web", "db_1"):
        for name in ("etc", "home_me"):
            some.backup(hostname=hostname, backup_name=name)
    some.backup(hostname="web", backup_name="etc")
    return some


def listed(container, **options):
    found = container.info(**options)
    assert (found["changed"], found["incomplete"], found["damaged"]) == (False, [], [])
    return [(one["hostname"], one["backup_name"], one["level"]) for one in found["backups"]]


def test_backups_are_listed_by_name_and_host_newest_first(container):
    assert listed(container, hostname="web", backup_name="etc") == [("web", "etc", 1), ("web", "etc", 0)]
    assert listed(container, hostname="db_1", backup_name="home_me") == [("db_1", "home_me", 0)]
    assert len(listed(container, hostname=None, backup_name="etc")) == 3
    assert len(listed(container, hostname="web", backup_name=None)) == 3
    everything = listed(container, hostname=None, backup_name=None)
    assert len(everything) == 5
    assert listed(container, hostname="nobody", backup_name=None) == []
    times = [one["timestamp"] for one in container.info(hostname=None, backup_name=None)["backups"]]
    assert times == sorted(times, reverse=True)


def test_what_else_is_in_the_container_is_passed_over(container):
    write(container.container / "a file", b"x")
    write(container.container / "lost+found" / "1_0", b"x")
    write(container.container / "web_etc" / "notes.txt", b"x")
    write(container.container / "web_etc" / "12_x" / "manifest.json", b"x")
    (container.container / "empty").mkdir()
    assert len(listed(container, hostname=None, backup_name=None)) == 5
    assert container.backup(hostname="web", backup_name="etc")["level"] == 2


def test_a_set_of_which_nothing_but_half_backups_is_there_is_listed_by_its_name(container):
    write(container.container / "web_new" / "1700000000_0" / "data.000000", b"half")
    for options in ({"backup_name": "new"}, {"backup_name": None}, {"hostname": None, "backup_name": None}):
        found = container.info(**{"hostname": "web", **options})
        assert found["incomplete"] == ["web_new/1700000000_0"]
    assert container.info(hostname="db_1", backup_name="new")["incomplete"] == []


def test_a_damaged_manifest_is_listed_and_hides_no_other_backup(container):
    newest, oldest = container.info(hostname="web", backup_name="etc")["backups"]
    write(container.container / newest["folder"] / "manifest.json", b"{}")
    found = container.info(hostname="web", backup_name="etc")
    assert [one["backup_id"] for one in found["backups"]] == [oldest["backup_id"]]
    assert len(found["damaged"]) == 1
    write(container.container / oldest["folder"] / "manifest.json", b"{}")
    found = container.info(hostname="web", backup_name="etc")
    assert (found["backups"], len(found["damaged"])) == ([], 2)


def test_a_container_that_does_not_exist_is_an_error_that_names_it(one_set):
    with pytest.raises(StorageError, match=f"There is no folder {one_set.container}"):
        one_set.info()


def test_what_this_user_may_not_look_into_is_passed_over_or_named():
    def work(folder):
        some = Set(folder, max_level=3)
        write(some.source / "file")
        some.backup()
        newest = some.backup()
        (some.container / "lost+found").mkdir(mode=0)
        (some.folder_of(newest) / "manifest.json").chmod(0)
        return some.info(hostname=None, backup_name=None)

    with folder_without_root() as folder:
        found = without_root(work, folder)
    assert len(found["backups"]) == 1
    assert len(found["damaged"]) == 1
    assert "Permission denied" in found["damaged"][0]
    json.dumps(found)
