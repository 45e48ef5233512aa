# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""The role hooks on guests: systemd's services, MariaDB and PostgreSQL held by the playbook backup.

For MongoDB's server, which cannot be installed there, a stand-in runs in the guest (tests/support/mongodb_stand_in.py).
Directories that are copied are in test_sequence_faults_in_guests.py.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pymongo
import pytest

from ansible_collections.freezer.backup.tests.support.guest_databases import MariaDb, Postgres

_STAND_IN = """
import sys
sys.path.insert(0, "/root/mongodb")
from mongodb_stand_in import MongoDbStandIn
with MongoDbStandIn() as server:
    print(server.port, flush=True)
    for _line in sys.stdin:
        print(server.locks, flush=True)
"""
_SERVICE = "[Service]\nExecStart=/bin/sleep infinity\n"


class MongoDb:
    """The stand-in in a guest, with PyMongo for whoever holds it."""

    def __init__(self, guest):
        packages = Path(pymongo.__file__).resolve().parents[1]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in ("pymongo", "bson", "gridfs", "dns"):
                archive.add(packages / name, name)
            archive.add(Path(__file__).resolve().parents[1] / "support/mongodb_stand_in.py", "mongodb_stand_in.py")
        guest.run(
            "rm -rf /root/mongodb; mkdir -p /root/mongodb; tar -C /root/mongodb -x; "
            "echo /root/mongodb >/usr/local/lib/python3.11/dist-packages/mongodb.pth",
            packed.getvalue(),
        )
        guest.write("/root/mongodb/run.py", _STAND_IN)
        self._guest = guest
        self._process = guest.start("exec python3 /root/mongodb/run.py")
        self.port = int(self._process.stdout.readline())

    def locks(self):
        self._process.stdin.write("locks\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self):
        self._process.communicate(timeout=20)
        self._guest.run("rm -rf /root/mongodb /usr/local/lib/python3.11/dist-packages/mongodb.pth")


@pytest.fixture
def mongodb(guest):
    server = MongoDb(guest)
    yield server
    server.close()


@pytest.fixture
def services(guest):
    """Of three services two run."""
    names = ["lab-one.service", "lab-two.service", "lab-off.service"]
    for name in names:
        guest.write(f"/etc/systemd/system/{name}", _SERVICE)
    guest.run(f"systemctl daemon-reload; systemctl start {' '.join(names[:2])}")
    yield names
    guest.run(
        f"systemctl stop {' '.join(names)}; cd /etc/systemd/system; rm {' '.join(names)}; systemctl daemon-reload"
    )


@pytest.fixture
def databases(guest):
    """MariaDB and PostgreSQL that run, the sockets of both in one folder each."""
    made = {"mariadb": (MariaDb(guest), "/run/test-mariadb"), "postgresql": (Postgres(guest), "/run/test-postgresql")}
    for database, socket in made.values():
        database.create()
        database.start(database.folder, socket)
    yield {name: socket for name, (_database, socket) in made.items()}
    for database, socket in made.values():
        database.stop(database.folder, socket)
        guest.run(f"rm -rf {socket} {database.folder}")


def test_services_and_databases_of_hooks_are_held_until_finalize(run, guest, services, databases, mongodb):
    hooks = ("service", "mariadb", "postgresql", "mongodb")
    named = [{"role": "freezer.backup.hooks", "tasks_from": name} for name in hooks]
    variables = {
        "include_instances": [guest.name],
        "freezer_targets": [],
        "freezer_hooks": {**run.variables["freezer_hooks"], "freeze": named, "finalize": named},
        "hooks_services": services,
        "hooks_mariadb": {"login_unix_socket": f"{databases['mariadb']}/socket"},
        "hooks_postgresql": {"login_unix_socket": databases["postgresql"], "os_user": "postgres"},
        "hooks_mongodb": {"login_host": "127.0.0.1", "login_port": mongodb.port},
    }
    mariadb = f"mariadb --no-defaults -S {databases['mariadb']}/socket"
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freezer.backup'"
    psql = f'setpriv --reuid postgres --clear-groups psql -XAt -h {databases["postgresql"]} -c "{sessions}" postgres'
    states = f"systemctl show --property=ActiveState --value {' '.join(services)}"
    guest.run(f'{mariadb} -e "CREATE TABLE test.rows (id INT PRIMARY KEY)"')

    def everything_is_held():
        assert guest.run(states).split() == ["inactive", "inactive", "inactive"]
        # This one goes on when the hold is over.
        guest.run(f'{mariadb} -e "INSERT INTO test.rows VALUES (1)" >/run/inserted 2>&1 </dev/null & sleep 1')
        assert guest.run(f'{mariadb} -N -e "SELECT count(*) FROM test.rows"') == "0\n"
        assert guest.run(psql) == "1\n"
        assert mongodb.locks() == 1

    succeeded, output = run(everything_is_held, **variables)
    assert succeeded, output
    assert run.frozen.exists()
    assert guest.run(states).split() == ["active", "active", "inactive"]
    guest.run(
        f'for i in $(seq 50); do test "$({mariadb} -N -e "SELECT count(*) FROM test.rows")" = 1 && exit 0; sleep 0.1; done; '
        "cat /run/inserted; exit 1"
    )
    assert guest.run(psql) == "0\n"
    assert mongodb.locks() == 0
    guest.run("rm -f /run/inserted")
