# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backups of version 2 of the archive format that an earlier release wrote are listed, proven and restored."""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.tests.support.golden_version_2 import (
    HOST,
    LEVELS,
    READ,
    SETS,
    Unpacked,
    comparable,
    expected,
    listed,
)


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    """No test changes them."""
    return Unpacked(tmp_path_factory.mktemp("golden"))


def options(golden, one):
    """What says to an action where the backups of a set are, what opens them, and who is believed."""
    action = {"storage": "local", "container": str(golden.container), "hostname": HOST, "backup_name": one.name}
    if "recipients.age" in one.forms:
        action["identity_file"] = golden.key("identity")
    elif one.encryption != "none" or one.signed_by == "passphrase":
        action["encrypt_pass_file"] = golden.key("passphrase")
    if one.signed_by == "key":
        action["trusted_signers"] = golden.key("allowed_signers")
    return action


@pytest.mark.parametrize(("one", "level"), READ, ids=lambda value: getattr(value, "name", str(value)))
def test_every_golden_level_restores_to_what_was_there(golden, tmp_path, one, level):
    folder = golden.folder_of(one, level)
    action = {**options(golden, one), "restore_from_date": folder.name.partition("_")[0]}
    result = agent.restore({**action, "restore_abs_path": str(tmp_path / "restored")})
    assert (result["outcome"], result["level"]) == ("success", level)
    assert (result["signed_by"] is None) == (one.signed_by == "nobody")
    found = comparable(listed(tmp_path / "restored"))
    if one.is_file:
        del found["."]
    assert found == expected(one, level)


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_every_golden_chain_is_proven(golden, one):
    check = "segments" if one.encryption == "aes-256-cfb" else "stream"  # a restore has opened all of it
    result = agent.verify({**options(golden, one), "check": check})
    assert (result["outcome"], result["level"], len(result["chain"])) == ("success", one.levels - 1, one.levels)


def test_the_golden_backups_are_listed(golden):
    found = agent.info({"storage": "local", "container": str(golden.container)})
    assert (found["incomplete"], found["damaged"]) == ([], [])
    told = {(one["backup_name"], one["level"], one["encryption"], one["compression"]) for one in found["backups"]}
    assert told == {(one.name, level, one.encryption, one.compression) for one, level in LEVELS}
