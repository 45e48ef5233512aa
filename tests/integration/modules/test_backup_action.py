# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup as a task of a playbook: check mode, diff, defaults of the group, in the background, whichever module does it."""

from __future__ import annotations

import json

from support.ansible_command import handed_on_by, run_ansible


def test_a_task_backs_up_to_folders_as_with_the_whole_module(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "file").write_text("data")
    backup = {"path_to_backup": str(tmp_path / "source"), "backup_name": "data", "max_level": 9}
    tasks = [
        {"freezer.backup.backup": backup, "check_mode": True, "register": "planned"},
        {"freezer.backup.backup": backup, "diff": True, "register": "first"},
        {"freezer.backup.backup": backup, "async": 60, "poll": 1, "register": "background"},
        {"freezer.backup.backup": {**backup, "min_age": 3600}, "register": "young"},
        {"freezer.backup.backup": {**backup, "colour": "red"}, "register": "unknown", "ignore_errors": True},
        {
            "ansible.builtin.set_stats": {
                "data": {
                    "levels": "{{ [planned, first, background] | map(attribute='level') }}",
                    "outcomes": "{{ [planned, first, background, young] | map(attribute='outcome') }}",
                    "changed": "{{ [planned, first, background, young] | map(attribute='changed') }}",
                    "shown": "{{ first.diff.after.path_to_backup }}",
                    "unknown": "{{ unknown.msg }}",
                }
            }
        },
    ]
    place = {"storage": "local", "container": str(tmp_path / "backups")}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/freezer.backup.host": place},
        "tasks": tasks,
    }
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(json.dumps([play]))
    ran = run_ansible("ansible-playbook", str(playbook))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = handed_on_by(ran.stdout)
    assert found["levels"] == [0, 0, 1]
    assert found["outcomes"] == ["planned", "success", "success", "unchanged"]
    assert found["changed"] == [True, True, True, False]
    assert found["shown"] == backup["path_to_backup"]
    assert "(freezer.backup.backup)" in found["unknown"]
    assert "colour" in found["unknown"]
