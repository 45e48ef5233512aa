# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0

"""Holding MariaDB and PostgreSQL: real servers (tests/labs/databases), with their own clients in the holder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support import labs

from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce import hold
from ansible_collections.freezer.backup.plugins.module_utils._engine.quiesce.base import QuiesceError


class Databases:
    """The servers of the lab, as somebody else than the holder uses them."""

    def __init__(self, env):
        self.env = env
        self.bin = Path(env["FREEZER_TEST_DATABASES_BIN"])
        self.password = env["FREEZER_TEST_DATABASES_PASSWORD"]
        self.state = Path(env["FREEZER_TEST_MYSQL_SOCKET"]).parent

    def mysql(self, **keys):
        login = {"login_unix_socket": self.env["FREEZER_TEST_MYSQL_SOCKET"], "login_user": "backup"}
        return {"mysql": {**login, "login_password": self.password, **keys}}

    def postgresql(self, **keys):
        login = {
            "login_unix_socket": self.env["FREEZER_TEST_POSTGRESQL_SOCKET"],
            "login_port": int(self.env["FREEZER_TEST_POSTGRESQL_PORT"]),
            "login_user": "postgres",
            "login_db": "postgres",
        }
        return {"postgresql": {**login, "login_password": self.password, **keys}}

    def mysql_says(self, statement, timeout=20):
        line = ["mariadb", "--no-defaults", "-u", "root", "--socket", self.env["FREEZER_TEST_MYSQL_SOCKET"], "-N", "-B"]
        return self._ask([*line, "-e", statement], timeout)

    def postgresql_says(self, statement, timeout=20, port=None, folder=None):
        line = ["psql", "-X", "-A", "-t", "-h", folder or self.env["FREEZER_TEST_POSTGRESQL_SOCKET"], "-U", "postgres"]
        line += ["-p", str(port or self.env["FREEZER_TEST_POSTGRESQL_PORT"]), "-v", "ON_ERROR_STOP=1", "-c", statement]
        return self._ask(line, timeout)

    def _ask(self, line, timeout):
        environment = {**os.environ, "PGPASSWORD": self.password}
        argv = [str(self.bin / line[0]), *line[1:]]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=True, env=environment)
        return done.stdout.strip()

    def sessions_of_holders(self):
        return int(
            self.postgresql_says("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freezer.backup'")
        )


@pytest.fixture(scope="module")
def lab():
    try:
        env = labs.start("databases")
    except labs.LabUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    return Databases(env)


@pytest.fixture
def databases(lab, monkeypatch):
    monkeypatch.setenv("PATH", f"{lab.bin}{os.pathsep}{os.environ['PATH']}")
    lab.mysql_says("CREATE OR REPLACE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB")
    return lab


def _commits(databases, seconds):
    """Whether a commit goes through in that time. It goes on in the background if not."""
    number = time.monotonic_ns() % 2**31
    thread = threading.Thread(target=databases.mysql_says, args=(f"INSERT INTO shop.orders VALUES ({number})", 60))
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


@pytest.mark.parametrize("lock", ["backup_stage", "global_read_lock"])
def test_mariadb_commits_nothing_while_it_is_held(host, databases, lock):
    result = host.freeze(databases.mysql(lock=lock))
    assert not _commits(databases, 0.7)
    assert databases.mysql_says("SELECT count(*) FROM shop.orders") == "0"
    thawed = host.thaw()
    assert _commits(databases, 10)
    target = result["targets"][0]
    assert target["lock"] == lock
    assert target["binlog_file"].startswith("binlog.")
    assert target["binlog_position"] > 0
    assert (thawed["released_by"], thawed["problems"]) == ("request", [])


def test_mariadb_is_held_with_backup_stages_by_itself(host, databases):
    assert host.freeze(databases.mysql())["targets"][0]["lock"] == "backup_stage"


def test_mariadb_over_the_network_and_with_a_user_who_may_only_lock(host, databases):
    port = int(databases.env["FREEZER_TEST_MYSQL_PORT"])
    login = {"login_user": "weak", "login_unix_socket": None, "login_host": "127.0.0.1", "login_port": port}
    result = host.freeze(databases.mysql(**login))
    assert not _commits(databases, 0.5)
    assert "binlog_file" not in result["targets"][0]
    host.thaw()
    assert _commits(databases, 10)


def test_mariadb_logs_in_with_a_file_of_the_user(host, databases, tmp_path):
    file = tmp_path / "my.cnf"
    quoted = databases.password.replace("\\", "\\\\").replace('"', '\\"')
    file.write_text(
        f'[client]\nuser=backup\npassword="{quoted}"\nsocket={databases.env["FREEZER_TEST_MYSQL_SOCKET"]}\n'
    )
    file.chmod(0o600)
    host.freeze({"mysql": {"config_file": str(file)}})
    assert not _commits(databases, 0.5)
    host.thaw()
    assert _commits(databases, 10)


@pytest.mark.parametrize("who", [0, 1])
def test_mariadb_is_released_when_holder_or_guard_are_killed(host, databases, who):
    host.freeze(databases.mysql())
    host.kill(host.processes()[who])
    assert _commits(databases, 3)
    host.wait_until_over()


def test_mariadb_is_released_when_both_are_killed(host, databases):
    host.freeze(databases.mysql())
    host.kill(*reversed(host.processes()))
    assert _commits(databases, 3)
    assert host.thaw()["changed"]


def test_a_lock_in_the_way_is_not_waited_for_longer_than_allowed(host, databases):
    line = ["mariadb", "--no-defaults", "-u", "root", "--socket", databases.env["FREEZER_TEST_MYSQL_SOCKET"]]
    with subprocess.Popen([str(databases.bin / line[0]), *line[1:]], stdin=subprocess.PIPE, text=True) as other:
        other.stdin.write("LOCK TABLES shop.orders WRITE; SELECT SLEEP(60);\n")
        other.stdin.flush()
        time.sleep(0.5)
        began = time.monotonic()
        with pytest.raises(QuiesceError, match="mysql"):
            host.freeze(databases.mysql(lock="global_read_lock"), timeout_seconds=1)
        assert other.poll() is None
        assert time.monotonic() - began < 50, "the lock of 60 seconds was waited for"
        other.kill()
    host.wait_until_over()
    sleeping = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)'"
    for process in databases.mysql_says(sleeping).split():
        databases.mysql_says(f"KILL {process}")
    assert _commits(databases, 5)


def test_a_server_that_hangs_is_given_up(host, databases):
    server = int((databases.state / "mysql.pid").read_text())
    os.kill(server, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(QuiesceError, match=r"was not held in 1\.0 s"):
            host.freeze(databases.mysql(), timeout_seconds=1)
        assert time.monotonic() - began < 60
    finally:
        os.kill(server, signal.SIGCONT)
    host.wait_until_over()
    assert _commits(databases, 5)


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_wrong_password_is_a_sentence_without_it(host, databases, kind):
    target = getattr(databases, kind)(login_password="no such secret")
    with pytest.raises(QuiesceError, match=f"{kind} .* cannot be held") as caught:
        host.freeze(target)
    assert "secret" not in str(caught.value)
    assert "secret" not in host.log()


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_password_is_in_no_argument_and_in_no_file_that_stays(host, databases, kind):
    result = host.freeze(getattr(databases, kind)())
    arguments = b"".join(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    assert databases.password.encode() not in arguments
    assert databases.password not in str(result)
    assert databases.password not in str(host.look())
    host.thaw()
    for path in host.folder.iterdir():
        assert b"ss w" not in path.read_bytes()


def test_postgresql_is_in_backup_mode_while_it_is_held(host, databases):
    result = host.freeze(databases.postgresql())
    assert databases.sessions_of_holders() == 1
    assert result["targets"][0]["start_lsn"]
    label = host.thaw()["targets"][0]["backup_label"]
    assert label.startswith("START WAL LOCATION: ")
    assert "LABEL: freezer.backup\n" in label
    assert databases.sessions_of_holders() == 0


def test_postgresql_is_in_backup_mode_before_anything_is_held_so_that_nothing_waits_for_its_checkpoint(host, databases):
    moment = time.time() + 5
    ready = host.freeze(databases.postgresql(), hold_at=moment, deadline_seconds=60)
    assert (ready["ready"], ready["held"]) == (True, False)
    last = "SELECT query FROM pg_stat_activity WHERE application_name = 'freezer.backup'"
    assert "pg_backup_start" in databases.postgresql_says(last)
    assert host.freeze(databases.postgresql(), hold_at=moment, deadline_seconds=60)["held"]
    assert "LABEL: freezer.backup\n" in host.thaw()["targets"][0]["backup_label"]


def test_postgresql_whose_session_has_ended_before_the_moment_is_not_held(host, databases):
    moment = time.time() + 5
    host.freeze(databases.postgresql(), hold_at=moment, deadline_seconds=60)
    databases.postgresql_says(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freezer.backup'"
    )
    with pytest.raises(QuiesceError, match="postgresql"):
        host.freeze(databases.postgresql(), hold_at=moment, deadline_seconds=60)


@pytest.mark.parametrize("who", [0, 1])
def test_postgresql_is_released_when_holder_or_guard_are_killed(host, databases, who):
    host.freeze(databases.postgresql())
    host.kill(host.processes()[who])
    host.wait_until_over()
    until = time.monotonic() + 5
    while databases.sessions_of_holders():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_copy_of_postgresql_taken_while_it_was_held_starts_with_all_that_was_committed_before(
    host, databases, tmp_path
):
    databases.postgresql_says("DROP TABLE IF EXISTS orders; CREATE TABLE orders (id INT PRIMARY KEY, sum TEXT)")
    stop = threading.Event()
    committed = []

    def write():
        for number in range(100_000):
            if stop.is_set():
                return
            databases.postgresql_says(f"INSERT INTO orders VALUES ({number}, md5('{number}'))")
            committed.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        time.sleep(0.5)
        with hold.held([databases.postgresql()], folder=str(host.folder)) as found:
            before = len(committed)
            copy = tmp_path / "copy"
            ignored = shutil.ignore_patterns("postmaster.pid", "postmaster.opts")
            shutil.copytree(databases.state / "postgresql", copy, ignore=ignored)
        # The log goes on being written; what it had when the hold ended is copied once more, as an archive would have it.
        shutil.copytree(databases.state / "postgresql" / "pg_wal", copy / "pg_wal", dirs_exist_ok=True)
    finally:
        stop.set()
        writer.join()
    (copy / "backup_label").write_text(found.targets[0]["backup_label"])
    copy.chmod(0o700)
    with _postgresql_on(copy, databases) as port:
        rows = databases.postgresql_says("SELECT id FROM orders ORDER BY id", port=port, folder=str(tmp_path)).split()
        torn = databases.postgresql_says(
            "SELECT count(*) FROM orders WHERE sum <> md5(id::text)", port=port, folder=str(tmp_path)
        )
    assert before > 0
    assert [int(row) for row in rows[:before]] == list(range(before))
    assert torn == "0"


class _postgresql_on:  # noqa: N801 - reads as a function
    """A PostgreSQL of its own on a folder."""

    def __init__(self, data, databases):
        self.data, self.port = data, 25439
        tools = databases.state / "tools"
        self.bin = sorted(tools.glob("usr/lib/postgresql/*/bin"))[-1]
        libraries = f"{next(tools.glob('usr/lib/*-linux-gnu'))}"
        self.environment = {**os.environ, "LD_LIBRARY_PATH": libraries}
        self.before = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []

    def __enter__(self):
        options = f"-c port={self.port} -c listen_addresses= -c unix_socket_directories={self.data.parent}"
        self._control("start", "-o", options, "-l", str(self.data.parent / "log"))
        return self.port

    def __exit__(self, *_error):
        self._control("stop", "-m", "immediate")

    def _control(self, *words):
        line = [*self.before, str(self.bin / "pg_ctl"), "-D", str(self.data), "-w", "-t", "60", *words]
        subprocess.run(line, check=True, env=self.environment, stdout=subprocess.DEVNULL)
