# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""What several tests take from the READMEs of Freezer, as it stands there."""

from __future__ import annotations

#: The examples of freezer_action, as they are sent: ``int`` and ``bool`` have a value.
BACKUP_ACTION = {
    "action": "backup",
    "mode": "fs",
    "src_file": "/home/tylerdurden/project_mayhem",
    "backup_name": "project_mayhem_backup",
    "container": "my_backup_container",
    "max_backup_level": 6,
    "always_backup_level": 2,
    "restart_always_backup": 7,
    "no_incremental": False,
    "encrypt_pass_file": "private_key_file",
    "log_file": "/var/log/freezer.log",
    "hostname": False,
    "max_cpu_priority": False,
}
RESTORE_ACTION = {
    "action": "restore",
    "restore-abs-path": "/home/tylerdurden/project_mayhem",
    "container": "my_backup_container",
    "backup_name": "project_mayhem_backup",
    "restore-from-host": "another_host",
    "max_cpu_priority": True,
}
#: test_job.json.
TEST_JOB = """
  {
    "job_actions": [
        {
            "freezer_action": {
                "action": "backup",
                "mode": "fs",
                "backup_name": "backup1",
                "path_to_backup": "/home/me/datadir",
                "container": "schedule_backups",
                "log_file": "/home/me/.freezer/freezer.log"
            },
            "max_retries": 3,
            "max_retries_interval": 60
        }
    ],
    "job_schedule": {
        "schedule_interval": "4 hours",
        "schedule_start_date": "2015-08-16T17:58:00"
    },
    "description": "schedule_backups 6"
  }
"""
#: The first two of the three storages that a backup goes to at once.
PARALLEL_FOLDERS = """
[default]
action = backup
mode = fs
path_to_backup = /foo/
backup_name = mytest6
always_level = 2
max_segment_size = 67108864
container = /tmp/backup/
storage = local
[storage:first]
storage=local
container = /tmp/backup1/
[storage:second]
storage=local
container = /tmp/backup2/
"""
#: All three of them.
PARALLEL = f"""{PARALLEL_FOLDERS}[storage:swift]
storage=swift
container = test
osrc = openrc.osrc
"""
