# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What filters say against their input, as Ansible prints it: it adds what an error was caused by."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.freezer.backup.plugins.filter.network import network
from ansible_collections.freezer.backup.plugins.filter.next_runs import next_runs


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: network("10.1.2.3/8"), "has host bits set"),
        (lambda: network("10.0.0.300", address=True), "10.0.0.300"),
        (lambda: next_runs({"schedule_hour": "99"}), "its values go from 0 to 23"),
        (lambda: next_runs({}, since="tomorrow"), "write a date such as"),
    ],
)
def test_a_sentence_is_said_once(call, said):
    with pytest.raises(AnsibleFilterError) as raised:
        call()
    assert said in str(raised.value)
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
