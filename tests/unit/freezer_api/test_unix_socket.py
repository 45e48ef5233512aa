# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-api at a Unix socket: who can open it, who is believed, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.freezer_client.client import connect
from ansible_collections.freezer.backup.plugins.module_utils._engine.http.errors import BadAddress, Unreachable
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access import unix_socket
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server import unix_listener
from ansible_collections.freezer.backup.roles.api.files.freezer_api.server.worker import WithPeer
from ansible_collections.freezer.backup.tests.support import api_process

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to ask as another user")


@pytest.fixture
def folder():
    """A folder with a short name that every user can look into."""
    with tempfile.TemporaryDirectory(prefix="freezer-socket-") as made:
        os.chmod(made, 0o755)
        yield Path(made)


@pytest.fixture
def start(tmp_path):
    started = []

    def start_one(path, *arguments):
        started.append(api_process.start(tmp_path, *arguments, bind=f"unix://{path}"))
        return started[-1]

    yield start_one
    for process in started:
        process.stop()


def ask_as(user, group, path, groups=()):
    """What a process of another user gets from the socket at a path. It has this program: others need not reach ours."""
    answers, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(list(groups))
            os.setgid(group)
            os.setuid(user)
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(30)
                connection.connect(str(path))
                connection.sendall(b"GET /v1/jobs HTTP/1.0\r\n\r\n")
                os.write(writes, connection.makefile("rb").read())
        except OSError as error:
            os.write(writes, repr(error).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with open(answers, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    return text


def test_clients_use_a_socket_by_its_address(start, folder):
    path = folder / "run" / "api.sock"
    api = start(path)
    assert api.url == f"unix://{path}"
    with_project = connect(url=f"unix://{path}/v2/web")
    document = {"action_id": "one", "freezer_action": {"action": "backup", "path_to_backup": "/etc"}}
    with_project.actions.create(document)
    assert [found["action_id"] for found in with_project.actions.list()] == ["one"]
    with_project.close()
    assert " unix:" in api.log.read_text()


def test_only_its_owner_can_open_a_socket_that_is_for_no_group(start, folder):
    path = folder / "api.sock"
    start(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@as_root
def test_a_user_who_got_at_the_socket_all_the_same_is_refused(start, folder):
    path = folder / "api.sock"
    start(path)
    path.chmod(0o666)
    answer = ask_as(NOBODY, NOBODY, path)
    assert "403 Forbidden" in answer
    assert "may not use this socket" in answer
    assert "200 OK" in ask_as(0, 0, path)


@as_root
def test_members_of_the_group_of_the_socket_come_in(start, folder, tmp_path):
    config = tmp_path / "freezer-api.conf"
    config.write_text("[DEFAULT]\nsocket_group = daemon\n")
    group = unix_socket.group_id("daemon")
    path = folder / "api.sock"
    start(path, "--config-file", str(config))
    found = path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)
    assert "PermissionError" in ask_as(NOBODY, NOBODY, path)
    assert "200 OK" in ask_as(NOBODY, group, path)
    assert "200 OK" in ask_as(NOBODY, NOBODY, path, [group])


def test_nothing_is_carried_out_for_a_sender_whose_connection_is_gone():
    carried_out = []

    def serve(connection):
        class Channel:
            socket = connection

            def check_client_disconnected(self):
                return False

        app = WithPeer(lambda environ, _start: carried_out.append(environ[unix_socket.PEER_KEY].user_id) or [])
        # As waitress hands it on: a method of its connection.
        return app({"waitress.client_disconnected": Channel().check_client_disconnected}, None)

    ours, theirs = socket.socketpair()
    with ours, theirs:
        serve(ours)
        theirs.close()
        # The kernel still knows who it was.
        serve(ours)
        assert carried_out == [os.geteuid()] * 2
        ours.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            serve(ours)
    assert carried_out == [os.geteuid()] * 2


def test_what_a_killed_server_left_is_no_obstacle_and_a_stopped_one_leaves_nothing(start, folder):
    path = folder / "api.sock"
    first = start(path)
    workers = first.worker_ids()
    first.stop(signal.SIGKILL)
    for worker in workers:
        _wait_for_end(worker)
    assert path.is_socket()
    second = start(path)
    assert second.get("/healthcheck").status == 200
    assert second.stop() == 0
    assert not path.exists()


def _wait_for_end(process_id):
    descriptor = os.pidfd_open(process_id) if Path(f"/proc/{process_id}").exists() else None
    if descriptor is not None:
        import select

        select.select([descriptor], [], [], 30)
        os.close(descriptor)


def test_a_socket_that_is_in_use_is_not_taken_away(folder):
    path = str(folder / "api.sock")
    with unix_listener.listen(path, None), pytest.raises(unix_socket.SocketError, match="another process listens"):
        unix_listener.listen(path, None)


def test_another_file_of_that_name_stays(folder):
    path = folder / "api.sock"
    path.write_text("mine")
    with pytest.raises(unix_socket.SocketError, match="no socket"):
        unix_listener.listen(str(path), None)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_where_others_could_replace_the_socket_is_refused(folder, mode):
    folder.chmod(mode)
    with pytest.raises(unix_socket.SocketError, match="could replace the socket"):
        unix_listener.listen(str(folder / "api.sock"), None)
    folder.chmod(0o755)


@as_root
def test_a_folder_of_another_user_is_refused(folder):
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(unix_socket.SocketError, match="belongs to another user"):
        unix_listener.listen(str(folder / "api.sock"), None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("unix:run/api.sock", "absolute path"),
        ("unix://run/api.sock", "absolute path"),
        (f"unix:///{'long/' * 30}api.sock", "107"),
    ],
)
def test_an_address_that_names_no_socket_is_refused_by_both_sides(url, said, tmp_path):
    with pytest.raises(BadAddress, match=said):
        connect(url=url)
    line = api_process.command("--store", f"sqlite:///{tmp_path}/a.db", "--auth-strategy", "noauth", "--bind", url)
    ran = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert said in ran.stderr


def test_a_socket_where_no_process_listens_is_named_in_the_error(folder):
    path = folder / "api.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(Unreachable, match=f"unix://{path} cannot be reached"):
        connect(url=f"unix://{path}", retries=0).jobs.list()
