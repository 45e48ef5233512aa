# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter dependency_waves."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter.dependency_waves import dependency_waves


def test_each_comes_after_all_that_it_needs():
    needs = {"web": ["db", "cache"], "cache": ["db"], "db": ["san, which does not take part"]}
    assert dependency_waves(["web", "other", "cache", "db"], needs) == [["other", "db"], ["cache"], ["web"]]
    assert dependency_waves([], needs) == []


def test_a_circle_is_named():
    with pytest.raises(AnsibleFilterError, match="Each of these needs another one of them: a, b, c."):
        dependency_waves(["a", "b", "c", "d"], {"a": ["b"], "b": ["a"], "c": ["a"]})
