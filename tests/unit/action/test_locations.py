# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Where backups go that an action names no storage or no container for."""

from __future__ import annotations

import os

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.check import check_action
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import OptionError, parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.tests.support.sets import Set
from ansible_collections.freezer.backup.tests.support.trees import write


@pytest.fixture(autouse=True)
def _without_credentials(monkeypatch):
    for name in list(os.environ):
        if name.startswith("OS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("environment", "action", "because"),
    [
        ({"OS_AUTH_URL": "http://k", "OS_USERNAME": "a"}, {}, "OS_AUTH_URL says who asks a cloud"),
        ({"OS_CLOUD": "home"}, {}, "OS_CLOUD says who asks a cloud"),
        ({"OS_CLIENT_CONFIG_FILE": "/clouds.yaml"}, {}, "OS_CLIENT_CONFIG_FILE says who asks a cloud"),
        ({}, {"osrc": "/root/openrc"}, "osrc says who asks a cloud"),
        ({}, {"cloud": "home"}, "cloud says who asks a cloud"),
    ],
)
def test_swift_is_the_storage_where_credentials_are(environment, action, because, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = parse_options({"container": "backups", **action})
    assert options.locations() == [("swift", "backups")]
    assert options.chosen() == [f"storage is not given: swift was chosen, because {because}."]


def test_the_container_of_freezer_is_chosen_where_none_is_named(monkeypatch):
    monkeypatch.setenv("OS_CLOUD", "home")
    options = parse_options({})
    assert options.locations() == [("swift", "freezer_backups")]
    assert len(options.chosen()) == 2
    assert options.chosen()[1].startswith("container is not given: freezer_backups was chosen")


def test_a_container_that_is_named_gets_no_prefix():
    options = parse_options({"storage": "swift", "container": "freezer-container"})
    assert (options.locations(), options.chosen()) == ([("swift", "freezer-container")], [])


def test_a_path_is_never_taken_for_a_container_of_swift(monkeypatch):
    monkeypatch.setenv("OS_CLOUD", "home")
    with pytest.raises(
        OptionError, match="^storage is missing: /srv/backups is the path of a folder, for which it is local"
    ):
        parse_options({"container": "/srv/backups"}).locations()


def test_without_credentials_the_sentence_says_what_to_give():
    with pytest.raises(OptionError, match="^storage is missing: .*local.*OS_CLOUD, or OS_AUTH_URL .*clouds.yaml.*osrc"):
        parse_options({"container": "backups"}).locations()


def test_a_folder_is_never_chosen():
    with pytest.raises(OptionError, match="^container is missing"):
        parse_options({"storage": "local"}).locations()


def test_a_storage_of_several_is_swift_by_its_own_openrc_file():
    local = {"storage": "local", "container": "/srv/backups"}
    options = parse_options({"storages": [local, {"container": "test", "osrc": "/root/openrc"}]})
    assert options.locations() == [("local", "/srv/backups"), ("swift", "test")]
    assert options.access("swift", "test") == {"osrc": "/root/openrc"}


def test_a_cloud_and_an_openrc_file_cannot_be_combined():
    for given in (
        {"cloud": "a", "osrc": "/b"},
        {"storages": [{"storage": "swift", "container": "c", "cloud": "a", "osrc": "/b"}]},
    ):
        with pytest.raises(OptionError, match=r"^osrc cannot be combined with cloud; remove one of them\.$"):
            parse_options(given).locations()
    assert parse_options({"cloud": "a", "osrc": ""}).own_access() == {"cloud": "a"}


def test_a_storage_with_its_own_openrc_file_is_not_asked_by_the_cloud_of_the_action():
    storages = [{"storage": "swift", "container": "a"}, {"storage": "swift", "container": "b", "osrc": "/b"}]
    options = parse_options({"cloud": "home", "storages": storages})
    assert (options.access("swift", "a"), options.access("swift", "b")) == ({"cloud": "home"}, {"osrc": "/b"})
    assert [access for _kind, access, _chosen in options.storage_kinds()] == [{"cloud": "home"}, {"osrc": "/b"}]


def test_backups_that_cinder_keeps_need_no_place():
    assert parse_options({"cindernative_vol_id": "5"}).chosen() == []


def test_an_api_does_not_take_its_own_credentials_for_those_of_the_node(monkeypatch):
    action = {"path_to_backup": "/etc", "backup_name": "etc", "storages": [{"container": "a"}]}
    without = check_action(action)
    monkeypatch.setenv("OS_CLOUD", "home")
    assert check_action(action) == without == []


def test_the_containers_are_listed_that_this_host_has_written_to(tmp_path, monkeypatch):
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    some = Set(tmp_path)
    write(some.source / "file", b"content")
    assert agent.info({"storage": "local"}) == {"changed": False, "containers": []}
    some.backup()
    one = {"storage": "local", "container": str(some.container), "has_marker": True}
    assert agent.info({"storage": "local"})["containers"] == [one]
    (some.container / ".freezer-backup").unlink()
    assert agent.info({"storage": "local"})["containers"] == [{**one, "has_marker": False}]


@pytest.mark.parametrize("named", [{"backup_name": "etc"}, {"hostname": "web"}])
def test_who_names_backups_is_asked_for_their_container(named):
    with pytest.raises(OptionError, match="^container is missing"):
        agent.info({"storage": "local", **named})
