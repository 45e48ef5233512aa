# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Everything that the library of python-freezerclient can do. Runs in its own virtual environment.

usage: freezerclient_calls.py API_VERSION URL PROJECT_ID
"""

from __future__ import annotations

import sys
import uuid

from freezerclient import exceptions
from freezerclient.client import Client
from keystoneauth1 import noauth
from keystoneauth1.session import Session

ACTION = {"freezer_action": {"action": "backup", "path_to_backup": "/etc", "container": "c"}}


def refused(call, *arguments):
    """Whether a call raises what the library raises for an answer that it does not want."""
    try:
        call(*arguments)
    except exceptions.ApiClientException:
        return True
    return False


def call_clients(clients, client_id):
    assert clients.create({"client_id": client_id, "hostname": "db1.example", "description": "a node"}) == client_id
    shown = clients.get(client_id)
    assert shown["client"]["client_id"] == client_id
    assert shown["client"]["uuid"]
    assert [one["client"]["client_id"] for one in clients.list(search={"match": [{"_all": client_id}]})] == [client_id]
    assert clients.list(limit=1, offset=1) == []
    clients.delete(client_id)
    assert clients.get(client_id) is None
    assert refused(clients.delete, client_id)


def call_actions(actions):
    action_id = actions.create(dict(ACTION))
    assert actions.get(action_id)["freezer_action"] == ACTION["freezer_action"]
    assert actions.create(dict(ACTION), "chosen") == "chosen"
    assert actions.update(action_id, {"max_retries": 7}) == 2
    assert actions.get(action_id)["max_retries"] == 7
    found = actions.list(limit=5, offset=0, search={"match": [{"max_retries": 7}]})
    assert [one["action_id"] for one in found] == [action_id]
    for one in (action_id, "chosen"):
        actions.delete(one)
    assert actions.get(action_id) is None
    assert refused(actions.update, action_id, {})
    assert refused(actions.delete, action_id)


def call_jobs(jobs, client_id):
    job_id = jobs.create(
        {"job_actions": [ACTION], "job_schedule": {"schedule_interval": "5 minutes"}, "client_id": client_id}
    )
    job = jobs.get(job_id)
    assert job["job_schedule"]["schedule_interval"] == "5 minutes"
    assert job["job_actions"][0]["action_id"]
    assert jobs.update(job_id, {"job_schedule": {"status": "scheduled"}}) == 2
    assert jobs.get(job_id)["job_schedule"]["schedule_interval"] == "5 minutes"
    # What freezer-scheduler asks again and again.
    poll = {"match_not": [{"status": "completed"}]}
    assert [one["job_id"] for one in jobs.list(limit=100, search=dict(poll), client_id=client_id)] == [job_id]
    jobs.update(job_id, {"job_schedule": {"status": "completed"}})
    assert jobs.list(search=dict(poll), client_id=client_id) == []
    assert len(jobs.list_all()) == 1
    for request in (jobs.start_job, jobs.stop_job, jobs.abort_job):
        assert request(job_id) == {"result": "success"}
        assert request(job_id)["result"].endswith("already requested")
    # The document that was read is sent back whole, as freezer-scheduler does it.
    assert jobs.create(jobs.get(job_id), job_id) == job_id
    jobs.delete(job_id)
    assert jobs.get(job_id) is None
    assert refused(jobs.start_job, job_id)
    assert refused(jobs.delete, job_id)
    assert refused(jobs.create, {"job_actions": 5, "client_id": client_id})


def call_sessions(sessions, jobs, client_id):
    session_id = sessions.create({"description": "nightly", "schedule": {"schedule_interval": "1 days"}})
    assert sessions.get(session_id)["session_tag"] == 0
    job_id = jobs.create({"job_actions": [ACTION], "job_schedule": {}, "client_id": client_id})
    sessions.add_job(session_id, job_id)
    assert jobs.get(job_id)["session_id"] == session_id
    assert jobs.get(job_id)["job_schedule"]["schedule_interval"] == "1 days"
    assert sessions.update(session_id, {"description": "daily", "hold_off": 5}) == 3
    assert [one["session_id"] for one in sessions.list()] == [session_id]
    assert sessions.start_session(session_id, job_id, 0) == {"result": "success", "session_tag": 1}
    assert sessions.get(session_id)["jobs"][job_id]["status"] == "running"
    assert sessions.end_session(session_id, job_id, 1, "success") == {"result": "success", "session_tag": 1}
    assert sessions.get(session_id)["status"] == "completed"
    assert refused(sessions.start_session, session_id, job_id, 9)
    sessions.remove_job(session_id, job_id)
    assert refused(sessions.remove_job, session_id, job_id)
    assert refused(sessions.add_job, session_id, "unknown")
    sessions.delete(session_id)
    jobs.delete(job_id)
    assert sessions.get(session_id) is None
    assert refused(sessions.delete, session_id)


def call_backups(backups):
    metadata = {"backup_name": "etc", "container": "c", "hostname": "db1", "time_stamp": 1000, "level": 0}
    backup_id = backups.create(metadata)
    assert backups.get(backup_id)["backup_metadata"] == metadata
    assert [one["backup_id"] for one in backups.list(search={"time_after": 900, "time_before": 1100})] == [backup_id]
    assert [one["backup_id"] for one in backups.list(search={"match": [{"backup_name": "etc"}]})] == [backup_id]
    assert backups.list(search={"time_before": 10}) == []
    assert refused(backups.create, {"container": "c"})
    backups.delete(backup_id)
    assert backups.get(backup_id) is None
    assert refused(backups.delete, backup_id)


def main() -> None:
    api_version, url, project_id = sys.argv[1:]
    session = Session(auth=noauth.NoAuth(endpoint=url))
    client = Client(version=api_version, session=session, endpoint=url, project_id=project_id)
    client_id = f"node-{uuid.uuid4().hex[:8]}"
    call_clients(client.clients, client_id)
    call_actions(client.actions)
    call_jobs(client.jobs, client_id)
    call_sessions(client.sessions, client.jobs, client_id)
    call_backups(client.backups)
    if api_version == "2":
        assert client.jobs.list_all(all_projects=False) == []
    print("everything was called")


main()
