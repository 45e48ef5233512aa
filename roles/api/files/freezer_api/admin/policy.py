# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""``freezer-manage policy``: who may do what."""

from __future__ import annotations

import argparse

from ..access.policy import Policy


def show(flags: argparse.Namespace) -> int:
    """Show every rule, and which ones policy.yaml changes. Raises PolicyError."""
    policy = Policy(flags.options if flags.files else None)
    policy.check()
    for number, rule in enumerate(policy.rules()):
        if number:
            print()
        print(rule.name)
        if rule.description:
            print(f"    {rule.description}")
        for operation in rule.operations:
            print(f"    {operation}")
        changed = "" if rule.default is None else f"    # the default is: {rule.default}"
        print(f"    {rule.check or '@'}{changed}")
    return 0
