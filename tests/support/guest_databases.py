# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Databases in a guest that are written without a pause while they are backed up, and the proof of a restored copy.

A transaction inserts three rows, each with a checksum over all three, and is acknowledged in a file outside of the
database once the server has said that it is committed.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from itertools import pairwise
from typing import Any

from .guests import Guest

_ACKNOWLEDGED = "/run/test-writer/acknowledged"

# Runs in the guest. The connection comes from the first lines, which each kind of database has of its own.
_WRITER = """
import hashlib, os, sys, time
connection = connect()
cursor = connection.cursor()
cursor.execute("DROP TABLE IF EXISTS written")
cursor.execute("CREATE TABLE written (number INTEGER, part INTEGER, body VARCHAR(400), sum CHAR(64), PRIMARY KEY (number, part))")
connection.commit()
number = 0
log = open(sys.argv[1], "a")
while True:
    number += 1
    bodies = [os.urandom(150).hex() for _part in range(3)]
    total = hashlib.sha256(f"{number} {' '.join(bodies)}".encode()).hexdigest()
    for part, body in enumerate(bodies):
        cursor.execute("INSERT INTO written VALUES (%s, %s, %s, %s)", (number, part, body, total))
    connection.commit()
    log.write(f"{number} {time.time():.6f}\\n")
    log.flush()
"""

_CHECKER = """
import collections, hashlib, json
connection = connect()
cursor = connection.cursor()
cursor.execute("SELECT number, part, body, sum FROM written ORDER BY number, part")
transactions = collections.defaultdict(list)
for number, part, body, total in cursor.fetchall():
    transactions[number].append((part, body, total))
torn = []
for number, parts in transactions.items():
    bodies = [body for _part, body, _total in parts]
    total = hashlib.sha256(f"{number} {' '.join(bodies)}".encode()).hexdigest()
    if [part for part, _body, _total in parts] != [0, 1, 2] or {one[2] for one in parts} != {total}:
        torn.append(number)
print(json.dumps({"torn": torn, "numbers": sorted(transactions)}))
"""


class Database(ABC):
    """A server in the guest with its files in /srv/data/NAME, and what a restored copy has to stand."""

    name = ""
    mode = ""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.folder = f"/srv/data/{self.name}"

    @abstractmethod
    def create(self) -> None:
        """Make the files of a server that has not run yet."""

    @abstractmethod
    def start(self, folder: str, socket: str) -> None:
        """Start a server over a folder, and wait until it answers at a folder with its socket."""

    @abstractmethod
    def stop(self, folder: str, socket: str) -> None:
        """End it, and wait for that."""

    @abstractmethod
    def check(self, socket: str) -> None:
        """Let the database's own tool look at everything. Fails if it finds something."""

    @abstractmethod
    def connection(self, socket: str) -> str:
        """The Python that defines ``connect``."""

    def begin_to_write(self) -> None:
        """Start the writer, with a table that is empty. It goes on until `end_writing`."""
        self.guest.run("rm -rf /run/test-writer; mkdir -p /run/test-writer; chmod 0777 /run/test-writer")
        self.guest.write("/run/test-writer/writer.py", self.connection("/run/test-db") + _WRITER)
        self.guest.run(
            f"nohup setpriv --reuid postgres --clear-groups python3 /run/test-writer/writer.py {_ACKNOWLEDGED} "
            ">/run/test-writer/log 2>&1 </dev/null & echo $! >/run/test-writer/pid"
        )
        self.guest.run(
            f"for i in $(seq 300); do test $(wc -l <{_ACKNOWLEDGED}) -gt 20 2>/dev/null && exit 0; sleep 0.1; done; "
            "cat /run/test-writer/log; exit 1"
        )

    def end_writing(self) -> None:
        """End the writer."""
        self.guest.run("kill $(cat /run/test-writer/pid) 2>/dev/null || :; rm -f /run/test-writer/pid")

    def acknowledged_before(self, moment: float) -> list[int]:
        """The transactions that the server had acknowledged before a moment, in seconds since 1970."""
        return [number for number, when in self._acknowledged() if when < moment]

    def longest_pause(self, begin: float, end: float) -> float:
        """The longest time, in seconds, without an acknowledged transaction, of all that overlap with these two moments."""
        times = [when for _number, when in self._acknowledged()]
        pauses = [after - before for before, after in pairwise(times) if after > begin and before < end]
        return max(pauses)

    def _acknowledged(self) -> list[tuple[int, float]]:
        """The number of each transaction, and when it was acknowledged."""
        lines = self.guest.run(f"cat {_ACKNOWLEDGED}").splitlines()
        # The last line may be half there.
        pairs = [line.split() for line in lines if len(line.split()) == 2]
        return [(int(number), float(when)) for number, when in pairs]

    def transactions_of(self, folder: str) -> dict[str, Any]:
        """What a server finds that is started over a restored folder, after its own tool has found no fault."""
        socket = "/run/restored-db"
        self.start(folder, socket)
        try:
            self.check(socket)
            self.guest.write("/run/restored-db/checker.py", self.connection(socket) + _CHECKER)
            found: dict[str, Any] = json.loads(
                self.guest.run("setpriv --reuid postgres --clear-groups python3 /run/restored-db/checker.py")
            )
            return found
        finally:
            self.stop(folder, socket)


# The last of these is an address range, of which a guest has less than MariaDB takes.
_SMALL = "--innodb-buffer-pool-size=32M --innodb-log-file-size=16M --innodb-buffer-pool-size-max=64M"


class MariaDb(Database):
    """MariaDB, with InnoDB's files small."""

    name = "mariadb"
    mode = "mysql"

    def create(self) -> None:
        self.guest.run(
            f"rm -rf {self.folder}; mkdir -p {self.folder}; chown mysql {self.folder}; mariadb-install-db --user=mysql --datadir={self.folder} "
            f"--skip-test-db {_SMALL} --auth-root-authentication-method=socket >/dev/null 2>&1"
        )

    def start(self, folder: str, socket: str) -> None:
        self.guest.run(
            f"rm -rf {socket}; mkdir -p {socket}; chmod 0777 {socket}; "
            f"nohup mariadbd --no-defaults --user=mysql --datadir={folder} --socket={socket}/socket --skip-networking "
            f"{_SMALL} --pid-file={socket}/pid >{socket}/log 2>&1 </dev/null & "
            f"for i in $(seq 600); do mariadb --no-defaults -S {socket}/socket -e 'SELECT 1' >/dev/null 2>&1 && break; "
            f"kill -0 $! || {{ tail -n 30 {socket}/log; exit 1; }}; sleep 0.1; done; "
            f'mariadb --no-defaults -S {socket}/socket -e "CREATE DATABASE IF NOT EXISTS test; '
            'CREATE USER IF NOT EXISTS postgres IDENTIFIED VIA unix_socket; GRANT ALL ON test.* TO postgres"'
        )

    def stop(self, folder: str, socket: str) -> None:
        self.guest.run(
            f"mariadb-admin --no-defaults -S {socket}/socket shutdown; "
            f"for i in $(seq 300); do test -e {socket}/pid || exit 0; sleep 0.1; done; exit 1"
        )

    def check(self, socket: str) -> None:
        said = self.guest.run(f"mariadb-check --no-defaults -S {socket}/socket --all-databases --check --extended")
        wrong = [line for line in said.splitlines() if not line.rstrip().endswith("OK")]
        assert not wrong, said

    def connection(self, socket: str) -> str:
        return f"""
import pymysql
def connect():
    return pymysql.connect(unix_socket="{socket}/socket", user="postgres", database="test")
"""

    def login(self) -> str:
        """The lines of a mysql_conf."""
        return "user = root\nsocket = /run/test-db/socket\n"


class Postgres(Database):
    """PostgreSQL of the guest's Debian."""

    name = "postgresql"
    mode = "postgresql"
    _as_postgres = "setpriv --reuid postgres --regid postgres --clear-groups env -C / /usr/lib/postgresql/15/bin/"

    def create(self) -> None:
        self.guest.run(
            f"rm -rf {self.folder}; mkdir -p {self.folder}; chown postgres: {self.folder}; "
            f"{self._as_postgres}initdb -D {self.folder} -A peer --no-sync -E UTF8 --locale=C >/dev/null"
        )

    def start(self, folder: str, socket: str) -> None:
        options = f"-k {socket} -c listen_addresses= -c shared_buffers=16MB -c max_wal_size=48MB -c min_wal_size=32MB"
        self.guest.run(
            f"rm -rf {socket}; mkdir -p {socket}; chmod 0777 {socket}; "
            f"{self._as_postgres}pg_ctl -D {folder} -l {socket}/log -w -t 60 -o '{options}' start >/dev/null </dev/null "
            f"|| {{ tail -n 30 {socket}/log; exit 1; }}"
        )

    def stop(self, folder: str, socket: str) -> None:
        self.guest.run(f"{self._as_postgres}pg_ctl -D {folder} -w -t 60 -m fast stop >/dev/null")

    def check(self, socket: str) -> None:
        self.guest.run(
            f"{self._as_postgres}pg_amcheck -h {socket} -d postgres --install-missing --heapallindexed --parent-check"
        )

    def connection(self, socket: str) -> str:
        return f"""
import psycopg2
def connect():
    return psycopg2.connect(host="{socket}", user="postgres", dbname="postgres")
"""

    def login(self) -> str:
        """The lines of a postgresql_conf."""
        return "socket = /run/test-db\nos_user = postgres\n"
