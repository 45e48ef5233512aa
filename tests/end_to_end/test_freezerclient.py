# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""python-freezerclient, library, command line and plugin of ``openstack``, against freezer-api: the clients that are out there go on working."""

from __future__ import annotations

import json
import os
import uuid

import pytest

from ansible_collections.freezer.backup.tests.support import api_process
from ansible_collections.freezer.backup.tests.support.freezerclient import Freezerclient, FreezerclientUnavailable
from ansible_collections.freezer.backup.tests.support.keystone_api import write_config

#: The last one that speaks v1, and the newest one of v2.
VERSIONS = {"v1": ("6.3.0", 1), "v2": ("6.5.0", 2)}
ACTION = {"freezer_action": {"action": "backup", "path_to_backup": "/etc", "container": "c"}, "max_retries": 2}


def installed(*wanted):
    try:
        return Freezerclient(*wanted)
    except FreezerclientUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="module", params=VERSIONS)
def version(request):
    release, api_version = VERSIONS[request.param]
    return installed(release), api_version


def test_the_library_can_do_all_that_it_knows(start_freezer_api, version):
    client, api_version = version
    api = start_freezer_api()
    # keystoneauth's plugin for noauth sends the token "notused", which makes that the user and the project.
    done = client.call_everything(api_version, api.url, "notused")
    assert (done.returncode, done.stdout) == (0, "everything was called\n"), done.stderr
    assert " ERROR " not in api.log.read_text()


@pytest.fixture(scope="module")
def keystone_api(keystone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("freezerclient")
    process = api_process.start(folder, "--config-file", str(write_config(folder, keystone)), auth_strategy="keystone")
    yield process
    process.stop()


@pytest.fixture(scope="module", params=[*VERSIONS, "openstack"])
def command(request, keystone, keystone_api):
    """Runs ``freezer`` of one of the versions, or ``openstack backup``, as a member of a project."""
    member = keystone.user("alpha-member")
    if request.param == "openstack":
        # It finds the API in the catalogue.
        client = installed(VERSIONS["v2"][0], "python-openstackclient")
        with (
            keystone.in_region(keystone_api.url) as region,
            client.openstack(member.environment(keystone.auth_url, region)) as openstack,
        ):
            yield 2, lambda verb, *words: openstack("backup", *verb.removeprefix("backup-").split("-"), *words)
        return
    release, api_version = VERSIONS[request.param]
    client = installed(release)
    environment = {
        **member.environment(keystone.auth_url, keystone.region),
        "OS_BACKUP_URL": keystone_api.url,
        "OS_BACKUP_API_VERSION": str(api_version),
    }
    yield api_version, lambda verb, *words: client.command(verb, *words, environment=environment)


@pytest.fixture
def freezer(command, tmp_path):
    """Runs a verb of the command; returns what it shows, read from JSON."""
    api_version, execute = command

    def run(verb, *words, document=None, code=0, shows=True):
        if document is not None:
            path = tmp_path / f"{uuid.uuid4().hex}.json"
            path.write_text(json.dumps(document))
            words = tuple(str(path) if word == "FILE" else word for word in words)
        as_json = ("-f", "json") if shows else ()
        done = execute(verb, *as_json, *words)
        assert (done.returncode == 0) == (code == 0), f"{verb} {words}: {done.stdout} {done.stderr}"
        return _with_plain_names(json.loads(done.stdout)) if shows and done.stdout.strip() else done.stdout

    run.api_version = api_version
    return run


def _with_plain_names(shown):
    """The versions write the names of columns as they like: Max_retries, Max retries."""
    if isinstance(shown, list):
        return [_with_plain_names(row) for row in shown]
    return {name.lower().replace("_", " "): value for name, value in shown.items()}


def ids_in(rows, column):
    return [row[column] for row in rows]


def test_the_verbs_for_jobs_and_sessions_work(freezer):
    client_id = f"node-{uuid.uuid4().hex[:8]}"
    shows = freezer.api_version == 2
    job_id = f"job-{uuid.uuid4().hex[:8]}"
    job = {"job_id": job_id, "job_actions": [ACTION], "job_schedule": {"schedule_interval": "5 minutes"}}
    freezer("job-create", "--file", "FILE", "--client", client_id, document=job, shows=shows)
    assert freezer("job-show", job_id)["interval"] == "5 minutes"
    assert job_id in freezer("job-get", job_id, shows=False)
    assert ids_in(freezer("job-list", "--client", client_id), "job id") == [job_id]
    assert job_id in ids_in(freezer("job-list", "--search", client_id), "job id")
    for verb, event in (("job-start", "start"), ("job-stop", "stop"), ("job-abort", "abort")):
        freezer(verb, job_id, shows=False)
        assert freezer("job-show", job_id)["event"] == event
    freezer("job-update", job_id, "FILE", document={"description": "changed"}, shows=shows)
    shown = freezer("job-show", job_id)
    assert (shown["description"], shown["interval"]) == ("changed", "5 minutes")

    session_id = f"session-{uuid.uuid4().hex[:8]}"
    session = {"session_id": session_id, "description": "nightly", "schedule": {"schedule_interval": "1 days"}}
    freezer("session-create", "--file", "FILE", document=session, shows=shows)
    assert freezer("session-show", session_id)["session id"] == session_id
    assert session_id in ids_in(freezer("session-list", "--limit", "1000"), "session id")
    freezer("session-add-job", "--session-id", session_id, "--job-id", job_id, shows=False)
    assert freezer("job-show", job_id)["session id"] == session_id
    freezer("session-update", session_id, "FILE", document={"description": "daily"}, shows=shows)
    freezer("session-start", "--session-id", session_id, "--job-id", job_id, "--job-tag", "0", shows=False)
    shown = freezer("session-show", session_id)
    assert (shown["description"], str(shown["session tag"])) == ("daily", "1")
    freezer("session-remove-job", "--session-id", session_id, "--job-id", job_id, shows=False)
    freezer("session-delete", session_id, shows=False)
    freezer("job-delete", job_id, shows=False)
    freezer("job-show", job_id, code=1)
    freezer("session-show", session_id, code=1)


def test_the_verbs_for_clients_actions_and_backups_work(freezer):
    shows = freezer.api_version == 2
    client_id = f"node-{uuid.uuid4().hex[:8]}"
    freezer("client-register", "--file", "FILE", document={"client_id": client_id, "hostname": "db1"}, shows=shows)
    assert freezer("client-show", client_id)["client id"] == client_id
    assert client_id in ids_in(freezer("client-list", "--limit", "1000"), "client id")
    freezer("client-delete", client_id, shows=False)
    freezer("client-show", client_id, code=1)

    action_id = f"action-{uuid.uuid4().hex[:8]}"
    freezer("action-create", "--file", "FILE", document={**ACTION, "action_id": action_id}, shows=shows)
    assert freezer("action-show", action_id)["action id"] == action_id
    assert action_id in ids_in(freezer("action-list", "--limit", "1000"), "action id")
    freezer("action-update", action_id, "FILE", document={"max_retries": 9}, shows=shows)
    assert str(freezer("action-show", action_id)["max retries"]) == "9"
    freezer("action-delete", action_id, shows=False)
    freezer("action-show", action_id, code=1)

    backup_id = uuid.uuid4().hex
    backup = {"backup_id": backup_id, "backup_name": "etc", "container": "c", "hostname": "db1", "time_stamp": 1000}
    freezer("backup-create", "--file", "FILE", document=backup, shows=shows)
    assert backup_id in json.dumps(freezer("backup-show", backup_id))
    # It cannot show its dates as JSON.
    assert backup_id in freezer("backup-list", "-f", "value", "--limit", "1000", "--search", "etc", shows=False)
    freezer("backup-delete", backup_id, shows=False)
    freezer("backup-show", backup_id, code=1)
