# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Jobs in files of a folder."""

from __future__ import annotations

import json

from ansible_collections.freezer.backup.roles.scheduler.files.freezer_scheduler.core.folder import JobFolder


def write_job(folder, name, document):
    (folder / name).write_text(json.dumps(document))
    (folder / name).chmod(0o600)


def test_a_job_file_has_any_of_the_forms_of_the_readme(tmp_path):
    backup = {"action": "backup", "path_to_backup": "/etc"}
    write_job(tmp_path, "job_wrapped.conf", {"job": {"job_actions": [{"freezer_action": backup}]}})
    write_job(tmp_path, "job_single.json", {"job_action": backup, "job_schedule": {"schedule_hour": 3}})
    retried = {"freezer_action": backup, "max_retry_interval": 7}
    write_job(tmp_path, "job_retried.json", {"job_actions": [retried]})
    jobs = {job["job_id"]: job for job, _tag in JobFolder(tmp_path).read()}
    assert [job["job_actions"][0]["freezer_action"] for job in jobs.values()] == [backup] * 3
    assert jobs["single"]["job_schedule"]["schedule_hour"] == "3"
    assert jobs["retried"]["job_actions"][0]["max_retries_interval"] == 7


def test_a_job_file_cannot_name_a_file_elsewhere(tmp_path, caplog):
    write_job(tmp_path, "job_odd.json", {"job_id": "../../../x", "job_actions": []})
    write_job(tmp_path, "job_twice.json", {"job_actions": [], "job_action": {}})
    assert JobFolder(tmp_path).read() == []
