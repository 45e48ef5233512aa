# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a run of the playbooks itself: its hooks, its log, its variables, the settings of the user.

Nothing is quiesced where that is known before; everything is released whatever happens later.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold
from ansible_collections.freezer.backup.tests.support.ansible_command import start_playbook
from ansible_collections.freezer.backup.tests.support.sequence_farm import Farm

#: A strategy and a manner to fail that would let hosts run on alone, or end all of them with the first.
_SETTINGS = {"ANSIBLE_STRATEGY": "free", "ANSIBLE_ANY_ERRORS_FATAL": "1"}

_OTHER_TARGETS = [{"command": {"prepare": ["/bin/true"], "finalize": ["/bin/true"]}}]


@pytest.fixture
def farm(tmp_path):
    """A service and a compute host."""
    return Farm(tmp_path)


@pytest.fixture
def four(tmp_path):
    """Two of each."""
    return Farm(tmp_path, ("s1", "s2"), ("c1", "c2"))


def _tasks(farm: Farm, name: str, *tasks: object) -> list[dict[str, str]]:
    """A hook that is a file with these tasks, or this text."""
    text = tasks[0] if isinstance(tasks[0], str) else yaml.safe_dump(list(tasks))
    (farm.folder / name).write_text(text)
    return [{"tasks": str(farm.folder / name)}]


def _words(output: str) -> str:
    return " ".join(output.replace("\\n", " ").split())


def _broken_hooks(farm: Farm, step: str) -> None:
    """Each host has a hook that Ansible cannot load, in a way of its own."""
    _tasks(farm, "broken.yml", "- name: no list\n  command: [\n")
    nested = {"ansible.builtin.include_tasks": "{{ chosen }}.yml"}
    broken = {
        "s1": [{"tasks": "/nowhere/hook.yml"}],
        "s2": [{"role": "no_such_role"}],
        "c1": _tasks(farm, "nested.yml", nested),
        "c2": _tasks(farm, "module.yml", {"name": "unknown", "no.such.module": {}}),
    }
    for host, hooks in broken.items():
        farm.hosts[host] = {"chosen": "broken", "freezer_hooks": {step: hooks}}


def test_hooks_that_cannot_be_loaded_end_the_run_before_anything_is_quiesced(four):
    _broken_hooks(four, "snapshot")
    four.hosts["s1"]["skip_actions"] = ["cloudify.interfaces.snapshot.create", "fs_prepare", "fs_finalise"]
    four.hosts["s2"]["freezer_targets"] = "{{ nowhere_defined }}"
    four.hosts["c2"]["freezer_event_log"] = "{{ 1 / 0 }}"
    four.hosts["c2"]["freezer_lead_seconds"] = "abc"
    succeeded, output = four.backup()
    assert not succeeded
    said = _words(output)
    assert "s1: the hook snapshot: There is no file /nowhere/hook.yml of tasks." in said
    assert "s1: skip_actions has fs_finalise, which is no step and no operation of Cloudify." in said
    assert "s2: the hook snapshot: no_such_role cannot be loaded: the role 'no_such_role' was not found" in said
    assert "s2: freezer_targets cannot be evaluated: 'nowhere_defined' is undefined" in said
    assert "c2: freezer_event_log cannot be evaluated: " in said
    assert "c2: freezer_lead_seconds is a number of seconds, and not 'abc'." in said
    # Where it is, as Ansible knows it.
    assert "nested.yml cannot be loaded" not in said
    assert f"{four.folder}/broken.yml:3:1." in said.split("c1: the hook snapshot: ")[1]
    assert "no.such.module" in said.split("c2: the hook snapshot: ")[1]
    assert "Nothing was done." in said
    # Each thing once, without what does not follow: whether hosts have something to do is not known.
    assert said.count("no_such_role cannot be loaded") == 1
    assert "ansible.legacy:" not in said
    assert "nothing to do" not in said
    assert "anything to do" not in said
    assert four.history() == []


def test_finalize_alone_releases_all_hosts_whatever_else_is_wrong(four):
    with four.start("backup", snapshot_name="one") as process:
        while len(four.held()) < len(four.names):
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    _broken_hooks(four, "finalize")
    four.variables["freezer_event_log"] = "/dev/full"
    four.variables["freezer_cloud_record_folder"] = "{{ nowhere_defined }}"
    folder = str(four.folder / "c1.holds")
    hold.freeze(_OTHER_TARGETS, 300, folder=folder, name="hook_mine")
    with start_playbook(
        "finalize", four.inventory(), {"snapshot_rotation": "many"}, "--tags", "none", **_SETTINGS
    ) as process:
        output, _nothing = process.communicate(timeout=200)
    assert process.returncode != 0
    assert four.held() == [], output
    assert "snapshot_rotation is a number" in output
    said = _words(output)
    assert "Released: s1, s2, c1, c2. The hooks `finalize` did not run" in said
    assert "Nothing was done" not in said
    assert "c1: still held under the name hook_mine" in said
    assert f"-a 'state=thawed name=hook_mine state_folder={folder}'" in said
    assert hold.thaw(folder, "hook_mine")["changed"]


def test_a_log_that_cannot_be_written_is_a_warning_and_settings_of_the_user_change_no_step(four):
    logs = four.folder / "logs"
    logs.mkdir()
    four.variables["freezer_event_log"] = f"{{{{ '/dev/full' if inventory_hostname == 's1' else '{logs}/events' }}}}"
    four.script("c1-snapshot", f"rm -r {logs}")
    settings = {**_SETTINGS, "ANSIBLE_STDOUT_CALLBACK": "freezer.backup.brief", "ANSIBLE_SHOW_CUSTOM_STATS": "1"}
    with start_playbook("backup", four.inventory(), {"snapshot_name": "one"}, "--tags", "none", **settings) as process:
        output, _nothing = process.communicate(timeout=200)
    assert process.returncode == 0, output
    # All of it on four hosts is on a screen, with what is handed on to the next node of a workflow.
    assert len(output.splitlines()) < 40, output
    assert "backup one is done on 4 hosts." in output
    assert '"snapshot_name": "one"' in output
    assert "The event log /dev/full cannot be written: No space left on device." in _words(output)
    assert "/logs/events cannot be written: No such file or directory." in _words(output)
    assert len(four.snapshots()) == 4
    history = four.history()
    last_stop = max(history.index(f"{host} stop") for host in four.names)
    assert all(last_stop < history.index(f"{host} snapshot") for host in four.names)
    four.nothing_is_left()


def test_what_a_hook_finds_missing_while_all_are_quiesced_ends_the_run_and_releases_all(four):
    """All hosts fail in the first play: Ansible would not begin the second one."""
    found_late = {"ansible.builtin.set_fact": {"late": "/nowhere/late.yml"}}
    four.variables["freezer_hooks"] = {
        "snapshot": _tasks(four, "late.yml", found_late, {"ansible.builtin.include_tasks": "{{ late }}"}),
        "delete": [],
    }
    four.hosts["s1"] = {
        "freezer_hooks": {"snapshot": _tasks(four, "end.yml", {"ansible.builtin.meta": "end_host"}), "delete": []}
    }
    undefined = {"ansible.builtin.debug": {"msg": "{{ nowhere_defined }}"}}
    four.hosts["s2"] = {"freezer_hooks": {"snapshot": _tasks(four, "undefined.yml", undefined), "delete": []}}
    succeeded, output = four.backup()
    assert not succeeded
    said = _words(output)
    assert "c1: snapshot: failed, for the reason above" in said
    assert "Could not find or access '/nowhere/late.yml'" in said
    assert "s2: snapshot: " in said
    assert "No snapshot of it is left." in said
    four.nothing_is_left()


def test_hosts_that_are_all_lost_are_all_asked_to_release(farm):
    farm.variables.update(ansible_connection="ssh", ansible_host="127.0.0.1", ansible_port=1)
    succeeded, output = farm.backup()
    assert not succeeded
    for host in farm.names:
        assert f"{host}: record: the host cannot be reached; nothing was quiesced on it by this run." in output
    assert farm.history() == []


def test_a_hook_that_takes_a_snapshot_which_none_removes_ends_the_run_on_that_host(farm):
    farm.hosts["c1"] = {"freezer_hooks": {"snapshot": [{"tasks": str(farm.folder / "hook.yml")}]}}
    succeeded, output = farm.backup()
    assert not succeeded
    assert "c1: freezer_hooks has `snapshot` and no `delete`, so what that takes could not be removed again." in output
    recap = output.rpartition("PLAY RECAP")[2].splitlines()
    assert [line.split()[0] for line in recap if "failed=0" not in line and "failed=" in line] == ["c1"]
    assert farm.history() == []


@pytest.mark.parametrize("workflow", ["backup", "restore"])
def test_a_run_that_would_do_nothing_or_a_part_ends_before_anything_is_quiesced(farm, workflow):
    farm.hooks = ()
    farm.hosts["c1"] = {"freezer_targets": []}
    succeeded, output = farm.run(workflow, snapshot_name="one")
    assert not succeeded
    said = _words(output)
    if workflow == "backup":
        assert "c1 has nothing to do: none of freezer_targets" in said
    assert f"No host has anything to do in the step {'snapshot' if workflow == 'backup' else 'apply'}" in said
    assert "freezer_allow_idle=true" in said

    farm.hooks = ("snapshot", "apply", "delete")
    farm.arguments = ("--limit", "c1")
    succeeded, output = farm.run(workflow, snapshot_name="one")
    assert not succeeded
    assert "--limit leaves out s1" in _words(output)
    if workflow == "restore":
        assert "There is no backup one on record on any host" in _words(output)
    farm.arguments = ()
    sliced = {"awx_job_template_name": "nightly", "awx_workflow_job_name": "nightly"}
    succeeded, output = farm.run(workflow, snapshot_name="one", include_instances="c1", **sliced)
    assert not succeeded
    assert "This is a slice of the job nightly" in _words(output)
    assert farm.history() == []


def test_a_step_that_fails_is_tried_again_and_a_backup_without_a_name_is_the_newest_one(four):
    four.hooks = ("snapshot", "apply", "delete")
    once = four.folder / "once"
    four.script("c1-snapshot", f"test -e {once} && exit 0; touch {once}; exit 1")
    retried = {"task_retries": "2", "task_retry_interval": 0, "freezer_allow_partial": True}
    four.arguments = ("--limit", "c1,c2")
    succeeded, output = four.run("backup", **retried)
    assert succeeded, output
    assert four.history().count("c1 snapshot") == 2
    assert four.history().count("c2 snapshot") == 1
    assert ("c1", "snapshot", "note") in four.logged()
    (name,) = {path.split(".", 2)[2] for path in four.snapshots()}
    for workflow in ("restore", "remove_backup"):
        succeeded, output = four.run(workflow, **retried)
        assert succeeded, output
        assert f"{workflow} {name} is done on 2 hosts." in output
    assert four.snapshots() == []
    succeeded, output = four.run("remove_backup", **retried)
    assert not succeeded
    assert "Which backup is meant? Give snapshot_name" in _words(output)


def test_a_retry_that_fails_too_is_a_failure_of_the_step_and_no_loss_of_the_host(farm):
    farm.script("c1-snapshot", "exit 1")
    farm.hosts["c1"] = {"freezer_hooks": {"snapshot": [{"tasks": str(farm.folder / "hook.yml")}], "delete": []}}
    succeeded, output = farm.backup(task_retries=1, task_retry_interval=0, include_instances="c1")
    assert not succeeded
    assert farm.history().count("c1 snapshot") == 2
    # ansible-core 2.22 has a whole sentence.
    reason = (
        "The command exited with a non-zero return code." if "The command exited" in output else "non-zero return code"
    )
    assert f"c1: snapshot: {reason}" in output
    assert "was lost" not in output
    assert f"[c1] Failed to snapshot: msg=snapshot: {reason}" in _words(output)
    assert ("c1", "snapshot", "failed") in farm.logged()
    farm.nothing_is_left()


def test_a_backup_that_never_was_is_not_removed_by_hooks_unless_that_is_allowed(farm):
    succeeded, output = farm.run("remove_backup", snapshot_name="never")
    assert succeeded, output
    said = _words(output)
    assert "There was nothing of the backup never to remove." in said
    assert "the hooks `delete` did not run" in said
    assert farm.history() == []
    assert all("changed=0" in line for line in output.splitlines() if "unreachable=" in line)
    succeeded, output = farm.run("remove_backup", snapshot_name="never", freezer_allow_unrecorded=True)
    assert succeeded, output
    assert sorted(farm.history()) == sorted(f"{host} delete" for host in farm.names)
    # Where it cannot be known, nothing done is no success.
    (farm.folder / "c1.record").mkdir()
    (farm.folder / "c1.record" / "run.backup.other.json").write_text("no record")
    succeeded, output = farm.run("remove_backup", snapshot_name="never")
    assert not succeeded
    assert "c1: record: " in output
    assert len(farm.history()) == len(farm.names)


def test_hooks_of_a_project_are_found_when_its_playbook_imports_ours(tmp_path):
    farm = Farm(tmp_path)
    role = tmp_path / "roles" / "mine" / "tasks"
    role.mkdir(parents=True)
    done = {
        "ansible.builtin.file": {
            "path": f"{tmp_path}/{{{{ inventory_hostname }}}}.done",
            "state": "touch",
            "mode": "0600",
        }
    }
    (role / "main.yml").write_text(yaml.safe_dump([{"ansible.builtin.include_tasks": "more.yml"}]))
    (role / "more.yml").write_text(yaml.safe_dump([done]))
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "dump.yml").write_text("[]")
    farm.variables["freezer_hooks"] = {
        "cloudify.interfaces.snapshot.create": [{"role": "mine"}, {"tasks": "hooks/dump.yml"}],
        "cloudify.interfaces.snapshot.delete": [],
    }
    (tmp_path / "site.yml").write_text(yaml.safe_dump([{"ansible.builtin.import_playbook": "freezer.backup.backup"}]))
    with start_playbook(str(tmp_path / "site.yml"), farm.inventory(), {"include_instances": "c1"}) as process:
        output, _nothing = process.communicate(timeout=200)
    assert process.returncode == 0, output
    assert Path(tmp_path / "c1.done").exists()


def test_a_file_that_no_plan_could_have_parsed_before_leaves_all_to_the_deadline_at_the_latest(farm):
    farm.variables["freezer_deadline_seconds"] = 8
    (farm.folder / "broken.yml").write_text("- name: no list\n  command: [\n")
    late = {"ansible.builtin.set_fact": {"late": str(farm.folder / "broken.yml")}}
    farm.variables["freezer_hooks"] = {
        "snapshot": _tasks(farm, "late.yml", late, {"ansible.builtin.include_tasks": "{{ late }}"}),
        "delete": [],
    }
    succeeded, output = farm.backup()
    assert not succeeded
    assert "broken.yml" in output
    until = time.monotonic() + 10
    while farm.held():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_hooks_and_tags_do_to_a_run_loses_no_backup_and_holds_no_host(farm):
    """Ends of a play are an idiom for what does not apply to a host; facts of a hook may have the names of ours."""
    ours = {"freezer_plan": {}, "freezer_members": [], "freezer_is_released": False}
    sets = _tasks(farm, "sets.yml", {"ansible.builtin.set_fact": {**ours, "freezer_is_asked": False}})
    hooks = [{"tasks": str(farm.folder / "hook.yml")}]
    ends = {
        "s1": _tasks(farm, "play.yml", {"ansible.builtin.meta": "end_play"}),
        "c1": _tasks(farm, "host.yml", {"ansible.builtin.meta": "end_host"}),
    }
    for host in farm.names:
        farm.hosts[host] = {"freezer_hooks": {"snapshot": hooks + sets, "delete": hooks, "finalize": ends[host]}}
    farm.arguments = ("--skip-tags", "always")
    succeeded, output = farm.backup()
    assert succeeded, output
    assert "backup one is done on 2 hosts." in output
    farm.nothing_is_left()
    succeeded, output = farm.run("finalize")
    assert succeeded, output
    assert farm.snapshots() == ["c1.snapshot.one", "s1.snapshot.one"]


def test_a_hook_that_ends_the_play_while_it_removes_a_backup_fails_the_run_and_keeps_the_record(farm):
    farm.hosts["c1"]["freezer_hooks"] = {
        "snapshot": [{"tasks": str(farm.folder / "hook.yml")}],
        "delete": _tasks(farm, "play.yml", {"ansible.builtin.meta": "end_play"}),
    }
    farm.script("c1-snapshot", "exit 1")
    succeeded, output = farm.backup()
    assert not succeeded
    assert "Left on s1, c1: the record of this run" in output
    succeeded, output = farm.run("remove_backup", snapshot_name="one")
    assert not succeeded
    assert "c1: delete: it was not reached, so a hook has ended the play for this host." in output
    succeeded, output = farm.run("finalize")
    assert not succeeded
    assert "c1: delete: a hook has ended the play" in output
    assert str(farm.folder / "c1.record") in " ".join(farm.records())
    assert farm.held() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--skip-tags", "all,always"), "--skip-tags all,always leaves out every task"),
        (("--start-at-task", "Plan"), "finalize was not begun"),
        (
            ("--start-at-task", "See what each host has to do"),
            "c1: finalize: the host was not asked to release",
        ),
    ],
)
def test_a_finalize_of_which_the_command_line_leaves_out_the_release_fails_and_says_so(farm, arguments, said):
    farm.hooks, farm.arguments = (), arguments
    succeeded, output = farm.run("finalize")
    assert not succeeded
    assert said in _words(output)
    assert "went no further than the release" not in output
