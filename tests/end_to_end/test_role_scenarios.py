# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The scenarios of extensions/molecule as molecule itself plays them, on the hosts of tests/labs/containers.

For `make soak` only, since each takes five minutes. `api` and `scheduler` are in test_role_api.py and test_role_scheduler.py
too, by another player; `api_container` builds an image several times.
"""

from __future__ import annotations

import pytest

from ansible_collections.freezer.backup.tests.support.role_runs import play_with_molecule

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(("name", "last_look"), [("api", [0, 0]), ("scheduler", [0, 0]), ("api_container", [0])])
def test_molecule_plays_a_scenario_to_its_end(hosts, others, collection, tmp_path, name, last_look):
    collections = f"{collection.parents[2]}:{others['FREEZER_TEST_COLLECTIONS']}"
    looks = play_with_molecule(name, collection, tmp_path, ANSIBLE_COLLECTIONS_PATH=collections, **hosts)
    # The second look of check mode is at hosts that are as they should be.
    assert looks[1:] == [last_look]
