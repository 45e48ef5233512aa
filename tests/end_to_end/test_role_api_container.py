# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role api with a container in place of a venv, on a host with systemd: the molecule scenario ``api_container``.

For `make soak` only: an image is built several times, which takes five minutes.
"""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.tests.support.role_runs import play_scenario

pytestmark = pytest.mark.soak


def test_the_api_is_deployed_as_a_container_and_upgraded_and_removed(hosts, others, collection, tmp_path):
    collections = f"{collection.parents[2]}:{others['FREEZER_TEST_COLLECTIONS']}"
    looks = play_scenario("api_container", collection, tmp_path, ANSIBLE_COLLECTIONS_PATH=collections, **hosts)
    assert looks[1:] == [[0]]
