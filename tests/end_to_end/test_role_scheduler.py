# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The role scheduler on hosts with systemd, those of tests/labs/containers: the molecule scenario ``scheduler``."""

from __future__ import annotations

from ansible_collections.freezer.backup.tests.support.role_runs import play_scenario


def test_a_session_backs_two_hosts_up_and_an_upgrade_ends_no_run(hosts, collection, tmp_path):
    looks = play_scenario("scheduler", collection, tmp_path, **hosts)
    # The second look of check mode is at hosts that are as they should be.
    assert looks[1:] == [[0, 0]]
