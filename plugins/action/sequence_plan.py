# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run over several hosts is asked for, who takes part, and whether it may begin. Runs on the controller, asks no host."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.freezer.backup.plugins.plugin_utils import kept_plan, sequence, sequence_refusal

#: Attempts of a step without a limit: more than any run lives for.
_NO_LIMIT = 1_000_000


class _Refused(Exception):
    """Why a run must not begin: sentences, and the hosts that they are about, if they are about some."""

    def __init__(self, *problems: str, about: Iterable[str] = ()) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems
        self.about = list(about)


class ActionModule(ActionBase):
    """The action sequence_plan."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Plan the run, or say why there is none."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, wanted = self.validate_argument_spec(
            argument_spec={
                "workflow": {"type": "str", "required": True},
                "main_step": {"type": "str", "required": True},
                "hosts": {"type": "raw", "default": "all"},
                "again": {"type": "bool", "default": False},
            }
        )
        self._vars = task_vars or {}
        if wanted["again"]:
            return result | _recalled(wanted["workflow"])
        try:
            plan = self._plan(wanted)
            kept_plan.keep(plan)
            result.update(plan)
        except OSError as error:
            raise AnsibleActionFail(
                f"The plan cannot be kept in {error.filename}: {error.strerror}. Nothing was quiesced."
            ) from error
        except _Refused as refused:
            finalizes = wanted["workflow"] == "finalize"
            end = self._released(wanted["hosts"]) if finalizes else ["Nothing was done."]
            # Once, in lines: as the message Ansible would show it twice, and in one line.
            Display().display("\n".join([*refused.problems, *end]), color=C.COLOR_ERROR)
            begun = (
                "went no further than the release"
                if finalizes and self._has_released(wanted["hosts"])
                else "was not begun"
            )
            result.update(
                changed=False,
                run={},
                known=False,
                members=[],
                refused_on=self._blamed(refused.about),
                msg=f"{wanted['workflow']} {begun}; the lines above say why.",
            )
        return result

    def _blamed(self, about: list[str]) -> list[str]:
        """Who fails where a run must not begin: the hosts that are wrong; else the controller, if it is in the play."""
        there = [str(host) for host in self._vars["ansible_play_hosts"]]
        wrong = [host for host in there if host in about]
        return wrong or sequence.for_all(there)

    def _has_released(self, pattern: Any) -> bool:
        """Whether any host was asked to release: `--start-at-task` may leave that out."""
        return any(sequence.thawed_of(self._vars["hostvars"][host]) for host in self._meant(pattern))

    def _released(self, pattern: Any) -> list[str]:
        """What finalize has done before its plan, and what not."""
        if not self._has_released(pattern):
            return [
                "No host was asked to release, and nothing was removed. Run finalize from its beginning, without --start-at-task."
            ]
        states = {host: self._vars["hostvars"][host] for host in self._meant(pattern)}
        rest = (
            "The hooks `finalize` did not run, and nothing was removed of what a killed run may have left. Mend this, and run "
            "finalize again."
        )
        return [*sequence.released(states), rest, *sequence.other_holds(states)]

    def _plan(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """The plan. Raises _Refused where there is none."""
        run = self._run(wanted["workflow"])
        seen = {
            host: self._vars["hostvars"][host].get("freezer_member") for host in self._vars["ansible_play_hosts_all"]
        }
        meant = self._meant(wanted["hosts"])
        hosts = [host for host in seen if host in meant]
        lost = [host for host in hosts if not seen[host] or "host" not in seen[host]]
        members = [seen[host] for host in hosts if host not in lost]
        members = [member for member in members if _takes_part(member, run)]
        if not run["snapshot_name"]:
            run["snapshot_name"] = self._newest([member["host"] for member in members])
        allowed = [
            word for word in ("partial", "idle", "unrecorded") if self._boolean(f"freezer_allow_{word}", default=False)
        ]
        limited = self._variable("ansible_limit", "")
        unknown = sequence_refusal.unknown_types(run, list(seen.values()), list(self._vars["groups"]))
        problems = sequence.problems(run, members, hosts, meant, allowed, self._slice(), wanted["main_step"], unknown)
        if not members and not problems:
            problems.append(sequence_refusal.no_host(str(wanted["hosts"]), meant, hosts, str(limited)))
        about = sequence_refusal.about(run["workflow"], members, "idle" in allowed)
        for said in (
            sequence_refusal.name_taken(run, {host: seen[host] for host in hosts if host not in lost}),
            sequence_refusal.undeletable(run, members),
        ):
            problems += [sentence for sentence, _about in said]
            about += [host for _sentence, hosts_of_it in said for host in hosts_of_it]
        names = [member["host"] for member in members]
        if run["workflow"] == "restore" and "unrecorded" not in allowed:
            problems += sequence.unrecorded(run["snapshot_name"], members, self._known(names))
        if lost:
            problems.insert(0, f"{', '.join(lost)}: lost before this run.")
        if problems:
            raise _Refused(*problems, about=about)
        retries, interval = self._retries()
        return {
            "changed": False,
            "refused_on": [],
            "run": run,
            "hosts": hosts,
            "members": names,
            **sequence.parts(
                wanted["workflow"],
                members,
                rotates=self._variable("snapshot_rotation", None) is not None,
                forks=int(self._vars["ansible_forks"]),
            ),
            "known": self._is_known(run, names, "unrecorded" in allowed),
            "retries": retries,
            "retry_interval": interval,
            "logged_in": [member["host"] for member in members if member["logs_in"]],
            "api_only_members": [member["host"] for member in members if not member["logs_in"]],
        }

    def _run(self, workflow: str) -> dict[str, Any]:
        default = "" if workflow in ("restore", "remove_backup") else f"{workflow}-{int(time.time())}"
        name = str(self._variable("snapshot_name", ""))
        # Records carry it, so that what undoes this run is known from what another one of the same name has made.
        own = {"run_id": uuid.uuid4().hex} if workflow in ("backup", "restore") else {}
        return {
            **own,
            "workflow": workflow,
            "snapshot_name": name or default,
            "snapshot_incremental": self._boolean("snapshot_incremental", default=True),
            "snapshot_type": str(self._variable("snapshot_type", "irregular")),
            "snapshot_rotation": self._number("snapshot_rotation", 1),
            "include_instances": sequence.words(self._variable("include_instances", [])),
            "include_types": sequence.words(self._variable("include_types", [])),
            "exclude_types": sequence.words(self._variable("exclude_types", [])),
        }

    def _variable(self, name: str, default: Any) -> Any:
        """A variable; an empty one, which AWX has for a question without an answer, is none."""
        if name not in self._vars:
            return default
        try:
            value = self._templar.template(self._vars[name])
        except AnsibleError as problem:
            raise _Refused(f"{name} cannot be evaluated: {problem}") from problem
        return default if value is None or value == "" else value

    def _boolean(self, name: str, default: bool) -> bool:
        value = self._variable(name, default)
        try:
            return bool(boolean(value))
        except TypeError:
            raise _Refused(f"{name} is true or false, and not {value!r}.") from None

    def _number(self, name: str, default: int) -> int:
        value = self._variable(name, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise _Refused(f"{name} is a number, and not {value!r}.") from None

    def _known(self, hosts: list[str], kind: str = "done") -> list[dict[str, Any]]:
        """The backups that hosts have on record, the oldest first: those that are done, or with `runs` the others."""
        records = [self._vars["hostvars"][host].get("freezer_member", {}).get("known") or {} for host in hosts]
        found = [run for record in records for run in record.get(kind) or [] if run.get("workflow") == "backup"]
        return sorted(found, key=lambda run: float(run.get("ended_at", 0)))

    def _is_known(self, run: dict[str, Any], hosts: list[str], allowed: bool) -> bool:
        """Whether hooks that delete may run: a removal of a name that is nowhere must not do anything."""
        if run["workflow"] != "remove_backup" or allowed:
            return True
        names = [one["snapshot_name"] for one in [*self._known(hosts), *self._known(hosts, "runs")]]
        return run["snapshot_name"] in names

    def _newest(self, hosts: list[str]) -> str:
        """The newest backup that was given no name either: one that has a name is meant only by that."""
        names = [str(run["snapshot_name"]) for run in self._known(hosts)]
        generated = [name for name in names if sequence.GENERATED.fullmatch(name)]
        if not generated:
            known = f" On record: {', '.join(dict.fromkeys(names))}." if names else ""
            raise _Refused(
                f"Which backup is meant? Give snapshot_name, for example with -e snapshot_name=before_upgrade; without it the newest "
                f"backup-<seconds> on record is meant, and there is none.{known}"
            )
        return generated[-1]

    def _retries(self) -> tuple[int, int]:
        """How often a step is tried again, and after how many seconds: Cloudify's options of these names. -1 is no limit."""
        retries, interval = self._number("task_retries", 0), self._number("task_retry_interval", 30)
        if retries < -1 or interval < 0:
            raise _Refused("task_retries is -1 or more, and task_retry_interval 0 or more.")
        return (_NO_LIMIT if retries == -1 else retries), interval

    def _meant(self, pattern: Any) -> list[str]:
        """The hosts of the groups, whatever `--limit` leaves out."""
        lookup = self._shared_loader_obj.lookup_loader.get(
            "ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar
        )
        return [str(host) for host in lookup.run([pattern], variables=self._vars)]

    def _slice(self) -> str:
        """The job of AWX that this is a slice of: its workflow is called like its template."""
        job = self._variable("awx_job_template_name", "")
        return str(job) if job and job == self._variable("awx_workflow_job_name", None) else ""


def _recalled(workflow: str) -> dict[str, Any]:
    """The plan that this run has, whatever hooks have made of the variable that had it."""
    try:
        return kept_plan.recall(workflow)
    except (OSError, ValueError) as error:
        # Who reads it releases all hosts then.
        raise AnsibleActionFail(
            f"The plan of this run is not there any more: {error}. All hosts are released."
        ) from error


def _takes_part(member: dict[str, Any], run: dict[str, Any]) -> bool:
    types = set(member["types"])
    chosen = not run["include_instances"] or member["host"] in run["include_instances"]
    return bool(chosen and types.issuperset(run["include_types"]) and types.isdisjoint(run["exclude_types"]))
