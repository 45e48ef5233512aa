# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The accounts of http_basic: their file, ``freezer-manage user``, and what a wrong password costs."""

from __future__ import annotations

import base64
import errno
import io
import os
import pty
import re
import stat
import subprocess
import sys
import threading

import bcrypt
import falcon.testing
import pytest

from ansible_collections.freezer.backup.roles.api.files.freezer_api import manage
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access import accounts, http_basic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.context import Context
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.http_basic import HttpBasic
from ansible_collections.freezer.backup.roles.api.files.freezer_api.access.strategy import AuthError
from ansible_collections.freezer.backup.roles.api.files.freezer_api.errors import UnauthorizedError, UnavailableError

#: Of "secret"; the same in every process, since it is part of the names of tests.
HASH = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def asked(name, password="secret"):
    token = base64.b64encode(f"{name}:{password}".encode()).decode()
    return falcon.testing.create_req(headers={"Authorization": f"Basic {token}"})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "accounts"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Hashes that take no time."""
    monkeypatch.setattr(accounts, "COST", 4)


@pytest.fixture
def user(path, monkeypatch, capsys):
    """freezer-manage user on the test's file: its exit code, and what it says."""

    def run(*words, password="secret\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(password.encode())))
        more = ["--password-stdin"] if words[0] in ("add", "passwd") else []
        code = manage.main(["user", *words, *more, "--htpasswd", str(path)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def file_of(path, *lines, mode=0o600):
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(mode)
    return path


# The file


@pytest.mark.parametrize(
    ("line", "context"),
    [
        (f"a:{HASH}", Context("a", "default", frozenset(["admin"]))),
        (f"a:{HASH}:admin:ops", Context("a", "ops", frozenset(["admin"]))),
        (f"a.b-c_d:{HASH}:member:web", Context("a.b-c_d", "web", frozenset(["member"]))),
        (f"a:{HASH}:reader:web", Context("a", "web", frozenset(["reader"]))),
        (
            f"a:{HASH}:node:web:web_db1.example.org",
            Context("a", "web", frozenset(["node"]), client_id="web_db1.example.org"),
        ),
    ],
    ids=["none", "admin", "member", "reader", "node"],
)
def test_a_line_says_role_project_and_client(path, line, context):
    assert HttpBasic(file_of(path, line)).authenticate(asked(line.partition(":")[0])) == context


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"a:{HASH}:admin", "line 2 .* must be name:hash:role:project"),
        (f"a:{HASH}:node:web:db1:more", "must be name:hash:role:project"),
        (f"a:{HASH}:root:web", "has the role 'root'; the roles are admin, member, reader, node"),
        (f"a:{HASH}:member:", "has the project ''"),
        (f"a:{HASH}:member:../web", "has the project '../web'"),
        (f"a:{HASH}:node:web", "a node needs the id of its client"),
        (f"a:{HASH}:node:web:", "a node needs the id of its client"),
        (f"a:{HASH}:node:web:db 1", "has the client 'db 1'"),
        (f"a:{HASH}:admin:web:db1", "has a client, which only a node has"),
        ("a::member:web", "has no bcrypt hash"),
    ],
)
def test_a_line_that_says_something_else_is_refused(path, line, says):
    with pytest.raises(AuthError, match=says):
        HttpBasic(file_of(path, "# comment", line))


def test_a_file_that_every_user_may_write_to_is_refused(path):
    file_of(path, f"a:{HASH}:admin:ops", mode=0o602)
    with pytest.raises(AuthError, match="every user of this host can write to the password file"):
        HttpBasic(path)
    path.chmod(0o600)
    strategy = HttpBasic(path)
    strategy.authenticate(asked("a"))
    # Noticed also while it runs, and although nothing in the file is another.
    path.chmod(0o602)
    with pytest.raises(UnavailableError, match="can write to the password file"):
        strategy.authenticate(asked("a"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
@pytest.mark.parametrize("is_folder", [False, True], ids=["file", "folder"])
def test_a_file_of_another_user_is_refused_by_the_api_and_edited_by_root(user, path, is_folder):
    file_of(path, f"a:{HASH}:admin:ops")
    strategy = HttpBasic(path)
    os.chown(path.parent if is_folder else path, 65534, -1)
    with pytest.raises(AuthError, match="belongs to another user, who c"):
        HttpBasic(path)
    if not is_folder:
        # Noticed also while it runs.
        with pytest.raises(UnavailableError, match="belongs to another user"):
            strategy.authenticate(asked("a"))
    assert user("add", "b", "--role", "admin")[0] == 0
    code, said = user("list")
    assert code == 0
    assert ("belongs to another user; only an API that runs as that user accepts it" in said) == (not is_folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other groups")
def test_a_file_that_another_group_may_write_to_is_refused(user, path):
    file_of(path, f"a:{HASH}:admin:ops", mode=0o660)
    HttpBasic(path)
    os.chown(path, 0, 65534)
    says = f"another group can write to the password file {path}, and so make an administrator; run chmod g-w {path}"
    with pytest.raises(AuthError, match=re.escape(says)):
        HttpBasic(path)
    for words in (("list",), ("add", "b", "--role", "admin"), ("passwd", "a"), ("remove", "a")):
        code, said = user(*words)
        assert (code, says in said) == (1, True)


def test_a_file_in_a_folder_that_others_may_write_to_is_refused(user, path):
    said_of_it = "other users may write to the folder .* and could replace the password file; chmod 755 it"
    path.parent.chmod(0o777)
    code, said = user("add", "a", "--role", "admin")
    assert (code, list(path.parent.iterdir())) == (1, [])
    assert re.search(said_of_it, said)
    file_of(path, f"a:{HASH}:admin:ops")
    with pytest.raises(AuthError, match=said_of_it):
        HttpBasic(path)
    # There only the owner of a file can replace it.
    path.parent.chmod(0o1777)
    HttpBasic(path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_refused_at_once(user, path, make):
    make(path)
    for words in (("list",), ("add", "b", "--role", "admin"), ("passwd", "a"), ("remove", "a")):
        code, said = user(*words)
        assert (code, "is not a regular file" in said) == (1, True)
    with pytest.raises(AuthError, match="is not a regular file"):
        HttpBasic(path)


def test_what_is_unsafe_about_a_file_is_a_warning_at_the_start(path):
    assert HttpBasic(file_of(path, f"a:{HASH}:admin:ops", mode=0o640)).warnings() == []
    readable = HttpBasic(file_of(path, f"a:{HASH}:admin:ops", mode=0o644)).warnings()
    assert len(readable) == 1
    assert "can read the hashes" in readable[0]
    roleless = HttpBasic(file_of(path, f"a:{HASH}", f"b:{HASH}:member:web", f"c:{HASH}")).warnings()
    assert len(roleless) == 1
    assert "a, c in" in roleless[0]
    assert "administrators of all projects" in roleless[0]


def test_the_log_of_the_api_says_what_is_unsafe(start_freezer_api, path):
    api = start_freezer_api(
        "--htpasswd", str(file_of(path, f"a:{HASH}", mode=0o644)), "--bind", "0.0.0.0:0", auth_strategy="http_basic"
    )
    log = api.log.read_text()
    for words in ("can read the hashes", "a in ", "cross the network to 0.0.0.0 as they are"):
        assert log.count(words) == 1, log


# freezer-manage user


def test_an_account_is_made_shown_changed_and_removed(user, path):
    assert user("add", "boss", "--role", "admin") == (0, f"boss is in {path}: admin of all projects\n")
    code, said = user("add", "db1", "--role", "node", "--project", "web")
    assert (code, said) == (0, f"db1 is in {path}: node in the project web, for the client web_db1\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, said = user("list")
    assert code == 0
    assert [line.split() for line in said.splitlines()] == [
        ["name", "role", "project", "client"],
        ["boss", "admin", "default", "-"],
        ["db1", "node", "web", "web_db1"],
    ]
    assert "$2b$" not in said
    strategy = HttpBasic(path)
    assert strategy.authenticate(asked("db1")) == Context("db1", "web", frozenset(["node"]), client_id="web_db1")
    assert user("passwd", "db1", password="changed\r\n")[0] == 0
    assert strategy.authenticate(asked("db1", "changed")).client_id == "web_db1"
    with pytest.raises(UnauthorizedError):
        strategy.authenticate(asked("db1"))
    assert user("remove", "db1") == (0, f"db1 is no longer in {path}\n")
    with pytest.raises(UnauthorizedError):
        strategy.authenticate(asked("db1", "changed"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "new"), "new has no role; give it one with --role admin or member"),
        (("add", "new", "--role", "member"), "name it with --project"),
        (("add", "new", "--role", "member", "--project", "a b"), "has the project 'a b'"),
        (("add", "a:b", "--role", "admin"), "has no user name"),
        (("add", "new", "--role", "member", "--project", "web", "--client", "db1"), "which only a node has"),
        (("add", "new", "--role", "node", "--project", "web", "--client", "_"), "has the client '_'"),
        (("add", "old", "--role", "admin"), "there is an account old in .* already (member in the project web)"),
        (("passwd", "new"), "there is no account new in"),
        (("remove", "new"), "there is no account new in"),
        (("remove", "old"), "old is the only account"),
        (("remove",), "name one account: freezer-manage user remove NAME"),
    ],
)
def test_what_cannot_be_done_to_an_account_is_told_and_changes_nothing(user, path, words, says):
    file_of(path, "# comment", f"old:{HASH}:member:web")
    before = path.read_bytes()
    code, said = user(*words)
    assert code == 1
    assert all(part in said for part in says.split(".*")), said
    assert said.count("\n") == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize("password", ["\n", "", "x" * 73 + "\n", "a\0b\n"])
def test_a_password_that_bcrypt_would_cut_off_is_refused(user, path, password):
    code, said = user("add", "new", "--role", "admin", password=password)
    assert (code, "1 to 72 bytes" in said) == (1, True)
    assert not path.exists()


def test_other_lines_owner_group_and_link_stay(user, path, tmp_path):
    real = file_of(tmp_path / "real", "# comment", f"a:{HASH}", "", f"b:{HASH}:member:web", mode=0o644)
    path.symlink_to(real)
    if os.geteuid() == 0:
        os.chown(real, 0, 65534)
    assert user("passwd", "a")[0] == 0
    lines = path.read_text().splitlines()
    assert [lines[0], lines[2], lines[3]] == ["# comment", "", f"b:{HASH}:member:web"]
    assert lines[1].startswith("a:$2b$")
    assert lines[1].count(":") == 1
    assert path.is_symlink()
    found = real.stat()
    # Others need not read it, whatever it was before.
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert found.st_gid == (65534 if os.geteuid() == 0 else os.getegid())
    assert sorted(one.name for one in tmp_path.iterdir()) == ["accounts", "real"]


def test_accounts_that_are_made_at_once_are_all_there(path):
    file_of(path, f"first:{HASH}")

    def add(number):
        new = accounts.Account(f"user{number}", HASH, "member", "web")
        accounts.change(path, lambda _known: new)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(accounts.read(path).by_name) == 21


def test_accounts_that_are_made_at_once_under_two_names_of_a_file_are_all_there(path, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    link = folder / "link"
    link.symlink_to(path)
    file_of(path, f"first:{HASH}")
    inside, outside = threading.Event(), threading.Event()

    def edit(name):
        inside.set()
        # Not before the other one has tried.
        outside.wait(0.2)
        return accounts.Account(name, HASH, "member", "web")

    first = threading.Thread(target=accounts.change, args=(path, lambda _known: edit("by-path")))
    first.start()
    assert inside.wait(10)
    accounts.change(link, lambda _known: accounts.Account("by-link", HASH, "member", "web"))
    outside.set()
    first.join()
    assert set(accounts.read(path).by_name) == {"first", "by-path", "by-link"}
    assert link.is_symlink()


@pytest.mark.parametrize("call", ["fsync", "replace", "fchmod"])
def test_a_file_that_cannot_be_written_is_told_and_left_as_it_was(user, path, monkeypatch, call):
    file_of(path, f"a:{HASH}")
    before = path.read_bytes()

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(accounts.os, call, fail)
    code, said = user("add", "b", "--role", "admin")
    assert (code, said) == (
        1,
        f"freezer-manage: the password file {path} cannot be written: No space left on device\n",
    )
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    path = tmp_path / "missing" / "accounts"
    with pytest.raises(AuthError, match="cannot be written: .*missing: No such file or directory"):
        accounts.change(path, lambda _known: accounts.Account("b", HASH, "admin"))


def test_every_hash_that_is_written_has_one_cost(user, path, monkeypatch):
    monkeypatch.undo()
    assert accounts.hashed(b"secret").startswith("$2b$12$")


def talk(path, *answers):
    """freezer-manage user add at a terminal; its exit code, and everything that could be seen there."""
    process, terminal = pty.fork()
    if process == 0:
        words = ["user", "add", "new", "--role", "admin", "--htpasswd", str(path)]
        os.execv(sys.executable, [sys.executable, "-m", manage.__name__, *words])
    seen = b""
    for answer in answers:
        while not seen.endswith((b"Password: ", b"The password again: ")):
            seen += os.read(terminal, 1000)
        os.write(terminal, answer.encode() + b"\n")
        seen += b"|"
    while True:
        try:
            data = os.read(terminal, 1000)
        except OSError:
            break
        if not data:
            break
        seen += data
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.close(terminal)
    return code, seen.decode()


def test_a_password_is_typed_twice_and_not_shown(path):
    code, seen = talk(path, "correct horse", "correct horse")
    assert code == 0, seen
    assert "correct" not in seen
    assert HttpBasic(path).authenticate(asked("new", "correct horse")).user_id == "new"
    code, seen = talk(path.with_name("other"), "one", "another")
    assert code == 1
    assert "the two passwords differ; nothing is changed" in seen
    assert not path.with_name("other").exists()


def test_without_a_terminal_a_password_is_read_only_if_that_is_meant(path):
    done = subprocess.run(
        [sys.executable, "-m", manage.__name__, "user", "add", "a", "--role", "admin", "--htpasswd", str(path)],
        input="secret\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "say --password-stdin" in done.stderr
    assert not path.exists()


def test_without_a_file_the_command_says_how_to_name_one(monkeypatch, capsys):
    assert manage.main(["user", "list"]) == 1
    assert "name it with --htpasswd" in capsys.readouterr().err


# What a wrong password costs


@pytest.fixture
def spent(monkeypatch):
    """The rounds of bcrypt since the last look."""
    rounds = []
    real = bcrypt.hashpw, bcrypt.checkpw

    def hashpw(password, salt):
        rounds.append(2 ** int(salt.split(b"$")[2]))
        return real[0](password, salt)

    def checkpw(password, value):
        rounds.append(2 ** int(value.split(b"$")[2]))
        return real[1](password, value)

    monkeypatch.setattr(http_basic.bcrypt, "hashpw", hashpw)
    monkeypatch.setattr(http_basic.bcrypt, "checkpw", checkpw)

    def look():
        total = sum(rounds)
        rounds.clear()
        return total

    return look


def test_a_wrong_password_costs_the_same_for_every_account_and_for_none(path, spent):
    strong = bcrypt.hashpw(b"secret", bcrypt.gensalt(8)).decode()
    middle = bcrypt.hashpw(b"secret", bcrypt.gensalt(6)).decode()
    broken = strong[:-10] + "." * 10
    lines = (f"weak:{HASH}", f"middle:{middle}", f"strong:{strong}:member:web", f"broken:{broken}")
    strategy = HttpBasic(file_of(path, *lines))
    spent()
    for name in ("weak", "middle", "strong", "broken", "unknown", "", "no:name"):
        with pytest.raises(UnauthorizedError):
            strategy.authenticate(asked(name, "wrong"))
        assert spent() == 2**8, name
    # The file has another highest cost now, also for names that are not in it.
    file_of(path, f"weak:{HASH}", f"middle:{middle}")
    for name in ("weak", "strong"):
        with pytest.raises(UnauthorizedError):
            strategy.authenticate(asked(name, "wrong"))
        assert spent() == 2**6, name


def test_a_password_that_was_right_costs_nothing_until_its_hash_is_another_one(path, spent):
    strategy = HttpBasic(file_of(path, f"a:{HASH}"))
    spent()
    for expected in (2**4, 0, 0):
        strategy.authenticate(asked("a"))
        assert spent() == expected
    file_of(path, f"a:{bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}")
    with pytest.raises(UnauthorizedError):
        strategy.authenticate(asked("a"))
