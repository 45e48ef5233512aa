# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a job on the host as its scheduler would: its actions by modules there, all else between controller and API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.of_verb import taken_by_module
from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.results import left_out_said
from ansible_collections.freezer.backup.plugins.module_utils._engine.documents.errors import DocumentError
from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError, OptionError
from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.jobs import existing_job
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.due_times import local_zone
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.grammar import ScheduleError, named_zone
from ansible_collections.freezer.backup.plugins.module_utils._engine.schedule.runs import FAIL, Outcome, outcome_of
from ansible_collections.freezer.backup.plugins.module_utils._module.registry_options import (
    registry_from,
    registry_options,
)
from ansible_collections.freezer.backup.plugins.plugin_utils.job_runs import (
    Surroundings,
    run_job,
)
from ansible_collections.freezer.backup.plugins.plugin_utils.reach import module_for


class ActionModule(ActionBase):
    """The action job_run."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the job. The task fails if the job does, or was not run."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "job_id": {"type": "str", "required": True},
                "init": {"type": "bool", "default": False},
                **registry_options(),
            }
        )
        self._vars = task_vars or {}
        self._warnings: list[Any] = []
        self._diffs: list[Any] = []
        try:
            result.update(self._run_job(wanted))
        except (FreezerError, DocumentError) as error:
            result.update(failed=True, msg=f"{str(error).rstrip('.')}.")
        if self._warnings:
            result["warnings"] = self._warnings
        if self._diffs and self._task.diff:
            result["diff"] = self._diffs
        return result

    def _run_job(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        around = Surroundings(self._perform, self._zone, self._tell, check_mode=bool(self._task.check_mode))
        registry = registry_from(wanted)
        try:
            ran = run_job(registry, existing_job(registry, wanted["job_id"]), around, wanted["init"])
        finally:
            registry.close()
        found: dict[str, Any] = {
            "changed": True,
            "job_id": wanted["job_id"],
            "result": ran.result,
            "status": ran.status,
            "failures": ran.failures,
            "backup_ids": ran.backup_ids,
        }
        if ran.failures:
            found.update(failed=True, msg=f"Job {wanted['job_id']} failed: {' '.join(ran.failures)}")
        return found

    def _perform(self, what: Mapping[str, Any]) -> Outcome:
        """One attempt at an action on the host."""
        kind = str(what["action"])
        try:
            parse_options(what).refuse_for(kind)
        except OptionError as error:
            return Outcome(FAIL, str(error), may_retry=False)
        try:
            found: dict[str, Any] = self._execute_module(
                module_name=module_for(kind, what),
                module_args=taken_by_module(kind, what),
                task_vars=self._vars,
            )
        except AnsibleConnectionFailure:
            return Outcome(FAIL, "the host cannot be reached.")
        except AnsibleError as error:
            return Outcome(FAIL, f"{str(error).rstrip('.')}.")
        self._warnings += found.get("warnings") or []
        diff = found.get("diff")
        self._diffs += diff if isinstance(diff, list) else [diff] if diff else []
        if found.get("unreachable"):
            return Outcome(FAIL, "the host cannot be reached.")
        if found.get("failed"):
            return Outcome(FAIL, f"{str(found.get('msg') or 'it failed').rstrip('.')}.", found)
        return outcome_of(found, left_out_said(found))

    def _zone(self) -> tzinfo:
        """The time zone of the host; the controller's if the host does not say."""
        try:
            answer = self._low_level_execute_command("readlink -f /etc/localtime; date +%z", sudoable=False)
        except AnsibleError:
            return local_zone()
        lines = str(answer.get("stdout") or "").split()
        if not lines or not re.fullmatch(r"[+-]\d{4}", lines[-1]):
            return local_zone()
        offset = datetime.strptime(lines[-1], "%z").tzinfo
        try:
            zone = named_zone(lines[0].partition("zoneinfo/")[2])
        except ScheduleError:
            zone = None
        if zone is None or datetime.now(zone).strftime("%z") != lines[-1]:
            # It has no zone that is known here, or TZ says another one.
            return offset or local_zone()
        return zone

    def _tell(self, sentence: str) -> None:
        self._display.display(f"[{self._vars.get('inventory_hostname', '')}] {sentence}")
