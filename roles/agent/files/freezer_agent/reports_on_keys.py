# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The result of an action key in words: the key pairs of a set, and who can open them."""

from __future__ import annotations

from collections.abc import Sequence

from .report import Concern, Report, Result
from .wording import counted

_TITLES = {
    "list": "The key pairs of {who}.",
    "export": "The key pairs of {who}. --metadata-out FILE writes their encrypted secret halves.",
    "add": "Changed who can open the backups of {who}.",
    "remove": "Changed who can open the backups of {who}.",
}
_OUTCOMES = {
    "planned": "Nothing was written. What opens the backups of {who} would change.",
    "unchanged": "Nothing was to be changed of what opens the backups of {who}.",
}


def report_on_keys(result: Result) -> Report:
    """The words for a result of the action key."""
    title = _OUTCOMES.get(result["outcome"], _TITLES[result["key"]])
    report = Report(title.format(who=f"{result['backup_name']} of {result['hostname']}"))
    report.table = [("key id", "backups", "opened by", "in"), *(_row(one) for one in result["keys"])]
    for one in result["keys"]:
        if one["recipients"]:
            report.concerns.append(
                Concern(f"Recipients of {one['key_id']}", len(one["recipients"]), list(one["recipients"]))
            )
        if one.get("signers"):
            report.concerns.append(Concern(f"Signers of {one['key_id']}", len(one["signers"]), list(one["signers"])))
    if result.get("remarks"):
        report.concerns.append(Concern("Remarks", len(result["remarks"]), list(result["remarks"])))
    return report


def _row(one: Result) -> Sequence[str]:
    ways = ["a passphrase"] if one["for_passphrase"] else []
    if one["for_recipients"]:
        ways.append("recipients" if one["recipients"] is None else counted(len(one["recipients"]), "recipient"))
    return one["key_id"], str(one["backups"]), " and ".join(ways) or "nothing", f"{one['storage']} {one['container']}"
