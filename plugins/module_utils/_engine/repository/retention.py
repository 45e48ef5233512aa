# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Retention: which backups of a set are kept, and the reasons: rules about age and number, and what restores need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Callable, Generic

from .survey import Backup, KeptManifest

_DAY_SECONDS = 86_400

#: The rules that keep the newest backup of each of the last N periods; each function names the period of a local time.
_PERIODS: dict[str, Callable[[datetime], str]] = {
    "keep_daily": lambda moment: moment.strftime("%Y-%m-%d"),
    "keep_weekly": lambda moment: moment.strftime("%G-W%V"),
    "keep_monthly": lambda moment: moment.strftime("%Y-%m"),
    "keep_yearly": lambda moment: moment.strftime("%Y"),
}


#: The rules that are options of an action, with the same names.
RULES_OF_ACTIONS = ("remove_older_than", "keep_last", *_PERIODS)


@dataclass(frozen=True)
class Rules:
    """The rules of retention. None and 0 mean that a rule is not given; without any rule everything is kept.

    ``remove_older_than`` is in days, ``remove_before`` in seconds since 1970: younger backups are kept. The others are counts.
    """

    remove_older_than: float | None = None
    remove_before: float | None = None
    keep_last: int | None = None
    keep_daily: int | None = None
    keep_weekly: int | None = None
    keep_monthly: int | None = None
    keep_yearly: int | None = None

    def __bool__(self) -> bool:
        by_age = self.remove_older_than is not None or self.remove_before is not None
        return by_age or bool(self.keep_last) or any(getattr(self, name) for name in _PERIODS)


@dataclass
class Decision(Generic[Backup]):
    """One backup, and the reasons for which it is kept; without a reason it is removed."""

    backup: Backup
    reasons: list[str] = field(default_factory=list)


def decide(
    backups: Sequence[Backup], untouched: Sequence[str], rules: Rules, now: float, remembered: str | None = None
) -> list[Decision[Backup]]:
    """A decision about every backup of a set, newest first. `now` is in seconds since 1970.

    The newest backup is always kept, and so are the parents of every kept backup. `untouched` are folders whose manifests
    cannot be read: every backup that they may continue is kept. So is that of the folder `remembered`, the newest which this host has
    written: anybody who can write to the storage can put a newer one beside it.
    """
    decisions = [Decision(one) for one in sorted(backups, key=lambda one: one.manifest.timestamp, reverse=True)]
    if not decisions:
        return []
    if not rules:
        zeros = [name for name in ("keep_last", *_PERIODS) if getattr(rules, name) == 0]
        why = (
            f"no retention rule is given ({', '.join(zeros)}: 0 is no rule)" if zeros else "no retention rule is given"
        )
        for decision in decisions:
            decision.reasons.append(why)
        return decisions
    _keep_young(decisions, rules, now)
    for decision in decisions[: rules.keep_last or 0]:
        decision.reasons.append("keep_last")
    for name, period_of in _PERIODS.items():
        _keep_newest_of_each(decisions, name, getattr(rules, name) or 0, period_of)
    if not decisions[0].reasons:
        decisions[0].reasons.append("the newest")
    for decision in decisions:
        if decision.backup.manifest.folder == remembered and not decision.reasons:
            decision.reasons.append("the newest that this host has written")
    _keep_ancestors(decisions)
    for folder in untouched:
        _keep_what_may_be_below(decisions, folder)
    return decisions


def _keep_young(decisions: Sequence[Decision[Backup]], rules: Rules, now: float) -> None:
    for decision in decisions:
        began = decision.backup.manifest.began
        if rules.remove_older_than is not None and began > now - rules.remove_older_than * _DAY_SECONDS:
            decision.reasons.append("remove_older_than")
        if rules.remove_before is not None and began > rules.remove_before:
            decision.reasons.append("remove_before_date")


def _keep_newest_of_each(
    decisions: Sequence[Decision[Backup]], name: str, count: int, period_of: Callable[[datetime], str]
) -> None:
    seen: set[str] = set()
    for decision in decisions:
        period = period_of(datetime.fromtimestamp(decision.backup.manifest.began).astimezone())
        if period in seen:
            continue
        if len(seen) == count:
            return
        seen.add(period)
        decision.reasons.append(f"{name} ({period})")


def _keep_ancestors(decisions: Sequence[Decision[Backup]]) -> None:
    # Newest first, so that parents come after all of their children.
    by_folder = {decision.backup.manifest.folder: decision for decision in decisions}
    for decision in decisions:
        parent = decision.backup.manifest.parent
        if decision.reasons and parent is not None and parent.folder in by_folder:
            by_folder[parent.folder].reasons.append(f"{_called(decision.backup.manifest)} continues it")


def _called(manifest: KeptManifest) -> str:
    return _named(manifest.level, manifest.began)


def _named(level: int, timestamp: int) -> str:
    """A backup in the words of a message: its level and its local time."""
    return f"level {level} of {datetime.fromtimestamp(timestamp).astimezone():%Y-%m-%dT%H:%M:%S}"


def _keep_what_may_be_below(decisions: Sequence[Decision[Backup]], folder: str) -> None:
    """Keep all backups from a folder back to the full one before it: any of them may be its parent."""
    name = folder.rpartition("/")[2]
    timestamp, level = (int(number) for number in name.split("_"))
    if level == 0:
        return
    for decision in decisions:
        manifest = decision.backup.manifest
        if manifest.timestamp >= timestamp:
            continue
        decision.reasons.append(f"{_named(level, timestamp)}, whose manifest cannot be read, may continue it")
        if manifest.level == 0:
            return
