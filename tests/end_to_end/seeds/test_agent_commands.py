# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The commands, files and documents for the agent in Freezer's README, as they stand there: what they ask for.

Line breaks are the README's. ``\\`` before ``*`` and ``_`` is its markup outside of quotes only, so inside it is kept. What
cannot be done before other issues is in one table, WAITING, with the reason and the sentence that says so.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shlex
import time

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.action.options import Options, parse_options
from ansible_collections.freezer.backup.plugins.module_utils._engine.consistency import databases
from ansible_collections.freezer.backup.plugins.module_utils._engine.openstack.identity.openrc import read_openrc
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.command_line import parse_command_line
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.exit_status import UNUSABLE, Signals
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.main import Run
from ansible_collections.freezer.backup.roles.agent.files.freezer_agent.settings import read_settings
from ansible_collections.freezer.backup.tests.support.freezer_readmes import BACKUP_ACTION, PARALLEL, RESTORE_ACTION
from ansible_collections.freezer.backup.tests.support.trees import write

#: As the README has it for ~/.bashrc, with values in place of what stands for one.
ENVIRONMENT = """
    export OS_REGION_NAME=region-a.geo-1
    export OS_TENANT_ID=<account tenant>
    export OS_PASSWORD=<account password>
    export OS_AUTH_URL=https://region-a.geo-1.identity.hpcloudsvc.com:35357/v2.0
    export OS_USERNAME=automationbackup
    export OS_TENANT_NAME=automationbackup
"""
VOLUME = "3ad7a62f-217a-48cd-a861-43ec0a04a78b"
LONG_AGO = 1400887403.0  # 2014-05-23T23:23:23 UTC
FOOBAR = [("swift", "freezer_foobar-container-2")]
DEFAULT = [("swift", "freezer_backups")]
SNAPSHOT = {"lvm_srcvol": "/dev/mysqlvg/mysqlvol", "lvm_dirmount": "/var/snapshot-backup", "lvm_volgroup": "mysqlvg"}

#: Command, action, what is given besides, and where it goes.
COMMANDS = [
    (
        "freezerc -F /etc -N etc --engine rsync",
        "backup",
        {"path_to_backup": "/etc", "backup_name": "etc", "engine_name": "rsync"},
        DEFAULT,
    ),
    (
        """$ sudo freezerc --file-to-backup /data/dir/to/backup
            --container freezer_new-data-backup --backup-name my-backup-name""",
        "backup",
        {"path_to_backup": "/data/dir/to/backup", "backup_name": "my-backup-name"},
        [("swift", "freezer_new-data-backup")],
    ),
    (
        """$ sudo freezerc --lvm-srcvol /dev/mongo/mongolv --lvm-dirmount /var/lib/snapshot-backup
            --lvm-volgroup mongo --file-to-backup /var/lib/snapshot-backup/mongod_ops2
            --container freezer_mongodb-backup-prod --exclude "*.lock" --mode mongo --backup-name mongod-ops2""",
        "backup",
        {
            "lvm_srcvol": "/dev/mongo/mongolv",
            "lvm_dirmount": "/var/lib/snapshot-backup",
            "lvm_volgroup": "mongo",
            "path_to_backup": "/var/lib/snapshot-backup/mongod_ops2",
            "exclude": ["*.lock"],
            "mode": "mongodb",
            "backup_name": "mongod-ops2",
        },
        [("swift", "freezer_mongodb-backup-prod")],
    ),
    (
        """$ sudo freezerc --lvm-srcvol /dev/jenkins/jenkins-home --lvm-dirmount
            /var/snapshot-backup --lvm-volgroup jenkins
            --file-to-backup /var/snapshot-backup --container freezer_jenkins-backup-prod
            --exclude "\\*.lock" --mode fs --backup-name jenkins-ops2""",
        "backup",
        {
            "lvm_srcvol": "/dev/jenkins/jenkins-home",
            "lvm_dirmount": "/var/snapshot-backup",
            "lvm_volgroup": "jenkins",
            "path_to_backup": "/var/snapshot-backup",
            "exclude": ["\\*.lock"],
            "backup_name": "jenkins-ops2",
        },
        [("swift", "freezer_jenkins-backup-prod")],
    ),
    (
        # With the space that the README lacks before --container; see NO_SPACE.
        """$ sudo freezerc --lvm-srcvol /dev/mysqlvg/mysqlvol
            --lvm-dirmount /var/snapshot-backup
            --lvm-volgroup mysqlvg --file-to-backup /var/snapshot-backup
            --mysql-conf /root/.freezer/freezer-mysql.conf --container
            freezer_mysql-backup-prod --mode mysql --backup-name mysql-ops002""",
        "backup",
        {
            **SNAPSHOT,
            "path_to_backup": "/var/snapshot-backup",
            "mysql_conf": "/root/.freezer/freezer-mysql.conf",
            "mode": "mysql",
            "backup_name": "mysql-ops002",
        },
        [("swift", "freezer_mysql-backup-prod")],
    ),
    (f"$ freezerc --cinder-vol-id {VOLUME}", "backup", {"cinder_vol_id": VOLUME, "backup_media": "cinder"}, DEFAULT),
    (
        f"""$ freezerc --mysql-conf /root/.freezer/freezer-mysql.conf
           --container freezer_mysql-backup-prod --mode mysql
           --backup-name mysql-ops002
           --cinder-vol-id {VOLUME}""",
        "backup",
        {
            "mysql_conf": "/root/.freezer/freezer-mysql.conf",
            "mode": "mysql",
            "backup_name": "mysql-ops002",
            "cinder_vol_id": VOLUME,
            "backup_media": "cinder",
        },
        [("swift", "freezer_mysql-backup-prod")],
    ),
    (f"$ freezerc --nova-inst-id {VOLUME}", "backup", {"nova_inst_id": VOLUME, "backup_media": "nova"}, DEFAULT),
    (
        f"""$ freezerc --mysql-conf /root/.freezer/freezer-mysql.conf
           --container freezer_mysql-backup-prod --mode mysql
           --backup-name mysql-ops002
           --nova-inst-id {VOLUME}""",
        "backup",
        {
            "mysql_conf": "/root/.freezer/freezer-mysql.conf",
            "mode": "mysql",
            "backup_name": "mysql-ops002",
            "nova_inst_id": VOLUME,
            "backup_media": "nova",
        },
        [("swift", "freezer_mysql-backup-prod")],
    ),
    (
        """$ sudo freezerc --file-to-backup /data/dir/to/backup
           --container /tmp/my_backup_path/ --backup-name my-backup-name
           --storage local""",
        "backup",
        {"path_to_backup": "/data/dir/to/backup", "backup_name": "my-backup-name"},
        [("local", "/tmp/my_backup_path/")],
    ),
    (
        """$ sudo freezerc --action restore --restore-abs-path /data/dir/to/backup
           --container /tmp/my_backup_path/ --backup-name my-backup-name
           --storage local""",
        "restore",
        {"restore_abs_path": "/data/dir/to/backup", "backup_name": "my-backup-name"},
        [("local", "/tmp/my_backup_path/")],
    ),
    (
        """$ sudo freezerc --file-to-backup /data/dir/to/backup
           --container freezer-container --backup-name my-backup-name
           --storage swift""",
        "backup",
        {"path_to_backup": "/data/dir/to/backup", "backup_name": "my-backup-name"},
        [("swift", "freezer-container")],
    ),
    (
        """$ sudo freezerc --action restore --restore-abs-path /data/dir/to/backup
           --container freezer-container --backup-name my-backup-name
           --storage swift""",
        "restore",
        {"restore_abs_path": "/data/dir/to/backup", "backup_name": "my-backup-name"},
        [("swift", "freezer-container")],
    ),
    (
        """$ sudo freezerc --action restore --container freezer_foobar-container-2
            --backup-name adminui.git
            --hostname git-HP-DL380-host-001 --restore-abs-path
            /home/git/repositories/adminui.git/
            --restore-from-date "2014-05-23T23:23:23\"""",
        "restore",
        {
            "backup_name": "adminui.git",
            "hostname": "git-HP-DL380-host-001",
            "restore_abs_path": "/home/git/repositories/adminui.git/",
            "restore_from_date": LONG_AGO,
        },
        FOOBAR,
    ),
    (
        """$ sudo freezerc --action restore --container freezer_foobar-container-2
            --backup-name mysq-prod --hostname db-HP-DL380-host-001
            --restore-abs-path /var/lib/mysql --restore-from-date "2014-05-23T23:23:23\"""",
        "restore",
        {
            "backup_name": "mysq-prod",
            "hostname": "db-HP-DL380-host-001",
            "restore_abs_path": "/var/lib/mysql",
            "restore_from_date": LONG_AGO,
        },
        FOOBAR,
    ),
    (
        """$ sudo freezerc --action restore --container freezer_foobar-container-2
            --backup-name mongobigdata --hostname db-HP-DL380-host-001
            --restore-abs-path /var/lib/mongo --restore-from-date "2014-05-23T23:23:23\"""",
        "restore",
        {
            "backup_name": "mongobigdata",
            "hostname": "db-HP-DL380-host-001",
            "restore_abs_path": "/var/lib/mongo",
            "restore_from_date": LONG_AGO,
        },
        FOOBAR,
    ),
    ("$ sudo freezerc --action info", "info", {}, DEFAULT),
    (
        "$ sudo freezerc --action info --container freezer_testcontainer -l",
        "info",
        {},
        [("swift", "freezer_testcontainer")],
    ),
    (
        """$ freezer-agent --action admin --container freezer_dev-test --remove-before-date 2016-07-11T00:00:00 \
--backup-name dev-test-01""",
        "admin",
        {"remove_before_date": 1468195200.0, "backup_name": "dev-test-01"},
        [("swift", "freezer_dev-test")],
    ),
    (
        f"$ freezerc --action restore --cinder-inst-id {VOLUME}",
        "restore",
        {"cinder_vol_id": VOLUME, "backup_media": "cinder"},
        DEFAULT,
    ),
    (
        f"$ freezerc --action restore --cindernative-vol-id {VOLUME}",
        "restore",
        {"cindernative_vol_id": VOLUME, "backup_media": "cindernative"},
        None,
    ),
    (
        f"$ freezerc --action restore --nova-inst-id {VOLUME}",
        "restore",
        {"nova_inst_id": VOLUME, "backup_media": "nova"},
        DEFAULT,
    ),
    (
        """$ sudo freezerc --action restore --container /local_backup_storage/
            --backup-name adminui.git
            --hostname git-HP-DL380-host-001 --restore-abs-path
            /home/git/repositories/adminui.git/
            --restore-from-date "2014-05-23T23:23:23"
            --storage local""",
        "restore",
        {
            "backup_name": "adminui.git",
            "hostname": "git-HP-DL380-host-001",
            "restore_abs_path": "/home/git/repositories/adminui.git/",
            "restore_from_date": LONG_AGO,
        },
        [("local", "/local_backup_storage/")],
    ),
    *(
        # The README names them in sentences only: "zlib, bzip2, xz/lzma" and "gzip, bzip2, xz".
        (
            f"freezerc -F /etc -N etc --compression {name}",
            "backup",
            {"path_to_backup": "/etc", "backup_name": "etc", "compression": meant},
            DEFAULT,
        )
        for name, meant in {"zlib": "gzip", "gzip": "gzip", "bzip2": "bzip2", "xz": "xz", "lzma": "xz"}.items()
    ),
]
NO_SPACE = """$ sudo freezerc --lvm-srcvol /dev/mysqlvg/mysqlvol
            --lvm-dirmount /var/snapshot-backup
            --lvm-volgroup mysqlvg --file-to-backup /var/snapshot-backup
            --mysql-conf /root/.freezer/freezer-mysql.conf--container
            freezer_mysql-backup-prod --mode mysql --backup-name mysql-ops002"""
OPENRC = """unset OS_DOMAIN_NAME
export OS_AUTH_URL=http://url:5000/v3
export OS_PROJECT_NAME=project_name
export OS_USERNAME=username
export OS_PASSWORD=secret_password
export OS_PROJECT_DOMAIN_NAME=Default
export OS_USER_DOMAIN_NAME=Default
export OS_IDENTITY_API_VERSION=3
export OS_AUTH_VERSION=3
export OS_CACERT=/etc/ssl/certs/ca-certificates.crt
export OS_ENDPOINT_TYPE=internalURL
"""
DB_CONF = """host = your.mysql.host.ip
user = backup
password = userpassword
"""
LIMITED = """
[default]
action = backup
storage = ssh
ssh_host = 127.0.0.1
ssh_username = saad
ssh_key = /home/saad/.ssh/saad
container = /home/saad/backups_freezers
backup_name = freezer_jobs
path_to_backup = /etc
upload_limit=2k
download_limit=1k
"""
UNLIMITED = LIMITED.replace("upload_limit=2k\ndownload_limit=1k\n", "")
#: That of test_job.json.
SCHEDULED_ACTION = {
    "action": "backup",
    "mode": "fs",
    "backup_name": "backup1",
    "path_to_backup": "/home/me/datadir",
    "container": "schedule_backups",
    "log_file": "/home/me/.freezer/freezer.log",
}

STORAGES, WINDOWS = "the storages issue", "an agent for Windows"
SSH = "--storage ssh --ssh-username ubuntu --ssh-key ~/.ssh/id_rsa\n           --ssh-host 8.8.8.8"
#: What waits for what: the command, a file or a document for it, and what the sentence says. Where the README names an
#: option or a value only in a sentence, the shortest command has it.
WAITING = [
    (
        STORAGES,
        f"""$ sudo freezerc --file-to-backup /data/dir/to/backup
           --container /remote-machine-path/ --backup-name my-backup-name
           {SSH}""",
        None,
        "--ssh-username",
    ),
    (
        STORAGES,
        f"""$ sudo freezerc  --action restore --restore-abs-pat /data/dir/to/backup
          --container /remote-machine-path/ --backup-name my-backup-name
          {SSH}""",
        None,
        "--ssh-username",
    ),
    (STORAGES, "# freezer-agent --action backup -F /etc/ -C freezer --upload-limit = 1k", None, "--upload-limit"),
    (STORAGES, "freezer-agent --config /home/user/job1.ini", LIMITED, "storage has to be one of local, swift"),
    (STORAGES, "$ freezer-agent --config /home/user/job2.ini --upload-limit 1k", UNLIMITED, "--upload-limit"),
    (STORAGES, "freezer-agent --config /tmp/freezer_job_x21aj29", UNLIMITED, "storage has to be one of local, swift"),
    (
        WINDOWS,
        """> freezerc --action backup --mode fs --backup-name testwindows
            --path-to-backup "C:\\path\\to\\backup" --container freezer_windows
            --log-file  C:\\path\\to\\log\\freezer.log""",
        None,
        "C:\\path\\to\\backup cannot be read",
    ),
    # Without a name its backup could not be found again; docs/agent.md has it among the differences.
    ("a name", "freezer-agent --action backup -F /etc/ -C freezer", None, "--backup-name is missing"),
]


def words(command):
    """The arguments of a command as its shell gives them to the program."""
    program, *given = [word for word in shlex.split(command) if word not in ("$", "#", ">", "sudo")]
    assert program in ("freezerc", "freezer-agent")
    return given


@pytest.fixture(autouse=True)
def _environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for line in ENVIRONMENT.split("\n"):
        if line.strip():
            name, _equals, value = line.strip().removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setenv("FREEZER_BACKUP_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(capfd, monkeypatch):
    """Runs the program in this process: its exit status, and what it says."""

    def call(arguments, document=None):
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
        status = Run().go(arguments, Signals())
        said = capfd.readouterr()
        return status, said.out, said.err

    return call


def given(options):
    """What is not the default, but where it goes."""
    values = dataclasses.asdict(options)
    defaults = dataclasses.asdict(Options())
    apart = ("storage", "container", "storages")
    return {key: value for key, value in values.items() if value != defaults[key] and key not in apart}


def settings_of(arguments, document=None):
    return read_settings(parse_command_line(arguments), io.StringIO(json.dumps(document)))


@pytest.mark.parametrize(
    ("command", "action", "asked", "places"), COMMANDS, ids=[" ".join(words(one[0])) for one in COMMANDS]
)
def test_a_command_asks_for_what_the_readme_says(command, action, asked, places):
    settings = settings_of(words(command))
    options = parse_options(settings.options)
    assert (settings.action, given(options), settings.warnings) == (action, asked, ())
    if places is not None:
        assert options.locations() == places


@pytest.mark.parametrize(
    ("document", "action", "asked", "places"),
    [
        (
            BACKUP_ACTION,
            "backup",
            {
                "encrypt_pass_file": "private_key_file",
                "path_to_backup": "/home/tylerdurden/project_mayhem",
                "backup_name": "project_mayhem_backup",
                "max_level": 6,
                "always_level": 2,
                "restart_always_level": 7.0,
            },
            [("swift", "my_backup_container")],
        ),
        (
            RESTORE_ACTION,
            "restore",
            {
                "restore_abs_path": "/home/tylerdurden/project_mayhem",
                "backup_name": "project_mayhem_backup",
                "hostname": "another_host",
                "max_priority": True,
            },
            [("swift", "my_backup_container")],
        ),
        (
            SCHEDULED_ACTION,
            "backup",
            {"path_to_backup": "/home/me/datadir", "backup_name": "backup1"},
            [("swift", "schedule_backups")],
        ),
    ],
    ids=["backup", "restore", "scheduled"],
)
def test_an_action_of_a_job_asks_for_what_the_readme_says(document, action, asked, places):
    settings = settings_of(["--stdin"], document)
    options = parse_options(settings.options)
    assert (settings.action, given(options), options.locations()) == (action, asked, places)


def test_the_file_for_parallel_backups_means_two_folders_and_swift(tmp_path, monkeypatch):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "parallel.ini").write_text(PARALLEL)
    (folder / "openrc.osrc").write_text(OPENRC)
    monkeypatch.chdir("/")
    settings = settings_of(["--config", str(folder / "parallel.ini")])
    options = parse_options(settings.options)
    assert given(options) == {
        "path_to_backup": "/foo/",
        "backup_name": "mytest6",
        "always_level": 2,
    }
    assert options.locations() == [("local", "/tmp/backup1/"), ("local", "/tmp/backup2/"), ("swift", "test")]
    assert options.access("swift", "test") == {"osrc": str(folder / "openrc.osrc")}


def test_the_file_of_mysql_says_who_logs_in(tmp_path):
    path = tmp_path / "db.conf"
    path.write_text(DB_CONF)
    options = parse_options({"mode": "mysql", "mysql_conf": str(path)})
    login = {"login_host": "your.mysql.host.ip", "login_user": "backup", "login_password": "userpassword"}
    assert databases.targets(options) == [{"mysql": login}]


def test_the_openrc_file_says_who_asks():
    with open("openrc.osrc", "w", encoding="utf-8") as file:
        file.write(OPENRC)
    found = read_openrc("openrc.osrc")
    assert (found["OS_AUTH_URL"], found["OS_PASSWORD"]) == ("http://url:5000/v3", "secret_password")
    assert "OS_DOMAIN_NAME" not in found


def test_the_option_without_a_space_before_it_is_told_and_nothing_is_done(run):
    status, out, err = run(words(NO_SPACE))
    assert (status, out) == (UNUSABLE, "")
    assert "Word 11 belongs to no option, so nothing was done" in err
    assert err.endswith(" Is a space missing before --container?\n")


@pytest.mark.parametrize(
    ("why", "command", "more", "said"),
    WAITING,
    ids=[f"{one[0]}: {' '.join(words(one[1]))}" for one in WAITING],
)
def test_what_waits_for_another_issue_is_told_in_a_sentence(run, tmp_path, why, command, more, said):
    arguments = words(command)
    if isinstance(more, str):
        path = tmp_path / "job.ini"
        path.write_text(more)
        arguments[arguments.index("--config") + 1] = str(path)
    status, out, err = run(arguments, more)
    assert (status, out) == (UNUSABLE, "")
    assert said in err
    assert err.splitlines()[-1].startswith("freezer-agent: ")
    assert "Traceback" not in err


def test_a_local_backup_is_made_listed_and_restored_by_the_commands_of_the_readme(run, tmp_path):
    def below(command):
        """The command, with its folders below the test's own."""
        return [f"{tmp_path}{word}" if word.startswith("/") else word for word in words(command)]

    by_text = {
        command[0].rsplit("sudo ", maxsplit=1)[-1].split("\n")[0]: command[0]
        for command in COMMANDS
        if "local" in command[0]
    }
    backup = by_text["freezerc --file-to-backup /data/dir/to/backup"]
    restore = by_text["freezerc --action restore --restore-abs-path /data/dir/to/backup"]
    (tmp_path / "tmp").mkdir()
    write(tmp_path / "data/dir/to/backup/file", b"content")
    status, out, err = run([*below(backup), "--compression", "none"])
    assert (status, out) == (0, ""), err
    os.rename(tmp_path / "data/dir/to/backup", tmp_path / "lost")
    status, _out, err = run(below(restore))
    assert status == 0, err
    assert (tmp_path / "data/dir/to/backup/file").read_bytes() == b"content"
    status, out, err = run(["--action", "info", "--storage", "local"])
    assert (status, str(tmp_path / "tmp/my_backup_path") in out) == (0, True), err


def test_what_was_chosen_is_said_before_the_work(run):
    """The first command of the README, where there is no such folder: what it says before it comes to that."""
    status, _out, err = run(words(f"freezerc --file-to-backup {os.getcwd()}/none --backup-name x --dry-run"))
    assert status == UNUSABLE
    first, second, *_rest, last = err.splitlines()
    assert (
        first == "freezer-agent: --storage is not given: swift was chosen, because OS_AUTH_URL says who asks a cloud."
    )
    assert second.startswith("freezer-agent: --container is not given: freezer_backups was chosen")
    assert "cannot be read: No such file or directory" in last


def test_without_credentials_the_first_command_says_what_to_give(run, monkeypatch):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    status, out, err = run(words(COMMANDS[0][0]))
    assert (status, out) == (UNUSABLE, "")
    assert err.startswith("freezer-agent: --storage is missing: for a folder of this host it is local")
