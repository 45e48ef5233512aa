# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""freezer-agent as its users have it: the installed command, real files, a terminal, and signals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.tests.support.upstream_backups import pass_file, unpack

COMMAND = str(Path(sys.executable).parent / "freezer-agent")
HOST = socket.gethostname()
_PATIENCE_SECONDS = 60

Call = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(folder: Path) -> dict[str, str]:
    """What every run gets: scratch space of its own, and nothing that changes how it looks."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("TERM", "NO_COLOR", "COLUMNS", "LINES")}
    return {**kept, "TMPDIR": str(temporary), "TERM": "dumb"}


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """Runs freezer-agent to its end, away from any terminal."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        words = [COMMAND, *(str(argument) for argument in arguments)]
        settings = {"capture_output": True, "text": True, "env": environment(tmp_path), **options}
        if "input" not in settings:
            settings["stdin"] = subprocess.DEVNULL
        return subprocess.run(words, check=False, timeout=_PATIENCE_SECONDS, **settings)

    return run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree with what usually goes wrong."""
    folder = tmp_path / "source"
    (folder / "sub" / "empty").mkdir(parents=True)
    (folder / "with space").write_text("one")
    (folder / "new\nline").write_text("two")
    (folder / "-dash").write_text("three")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe")).write_text("four")
    (folder / "sub" / "link").symlink_to("../with space")
    (folder / "sub" / "dangling").symlink_to("nowhere")
    os.link(folder / "with space", folder / "sub" / "hard")
    return folder


@pytest.fixture
def place(tmp_path: Path) -> list[object]:
    """The flags for a storage."""
    return ["--storage", "local", "--container", tmp_path / "store", "--backup-name", "etc"]


#: Makes the processor, not the disk, decide how long a backup of ``slow`` takes: seconds wherever this runs.
SLOWLY = ["--compression", "zstd", "--compression-level", 17, "-M", "64K"]


@pytest.fixture(scope="session")
def words_to_squeeze() -> bytes:
    """8 MiB that zstd has a hard time with."""
    choice = random.Random(1)
    known = [f"{choice.getrandbits(32):08x}" for _number in range(5000)]
    return " ".join(choice.choices(known, k=(8 << 20) // 9)).encode()


@pytest.fixture
def slow(tmp_path: Path, words_to_squeeze: bytes) -> Path:
    """A folder that takes a few seconds to back up."""
    folder = tmp_path / "slow"
    folder.mkdir()
    for number in range(50):
        (folder / f"small{number}").write_text("x")
    (folder / "words").write_bytes(words_to_squeeze)
    return folder


def metadata_of(ran: subprocess.CompletedProcess[str]) -> dict:
    """The JSON on standard output, which must hold nothing else."""
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_two_levels_and_a_restore_of_each_are_bit_for_bit(call, source, place, tmp_path):
    first = metadata_of(call("--action", "backup", "-F", source, *place, "--max-level", 3, "--metadata-out", "-"))
    before = tmp_path / "before"
    subprocess.run(["cp", "--archive", source, before], check=True)
    (source / "with space").unlink()
    (source / "sub" / "added").write_text("five")
    second = metadata_of(call("--action", "backup", "-F", source, *place, "--max-level", 3, "--metadata-out", "-"))

    assert (first["level"], second["level"], second["parent_backup_id"]) == (0, 1, first["backup_id"])
    restored = call("--action", "restore", *place, "--restore-abs-path", tmp_path / "newest")
    assert restored.returncode == 0, restored.stderr
    assert differences(str(source), str(tmp_path / "newest"), owner=True) == []
    older = ["--backup-id", first["backup_id"], "--restore-abs-path", tmp_path / "older"]
    assert call("--action", "restore", *place, *older).returncode == 0
    assert differences(str(before), str(tmp_path / "older"), owner=True) == []


@pytest.mark.parametrize(
    ("words", "document", "key"),
    [
        (["-F", "/etc/ssh"], None, "--path-to-backup"),
        (["--stdin"], {"path_to_backup": "/etc/ssh"}, "path_to_backup"),
    ],
)
def test_a_restore_of_a_part_is_refused_in_the_words_that_were_typed(
    call, source, place, tmp_path, words, document, key
):
    assert call("-F", source, *place).returncode == 0
    target = tmp_path / "target"
    given = {} if document is None else {"input": json.dumps(document)}
    for more in ([], ["--dry-run"]):
        ran = call("--action", "restore", *place, "--restore-abs-path", target, *words, *more, **given)
        assert (ran.returncode, target.exists()) == (2, False)
        assert f"freezer-agent: {key} says what a backup reads, and a restore has no use for it" in ran.stderr
    ran = call("--action", "restore", *place)
    assert "freezer-agent: --restore-abs-path is missing" in ran.stderr


def test_what_is_in_backups_is_told_in_lines_for_people_and_for_programs(call, source, place, tmp_path):
    first = metadata_of(call("-F", source, *place, "--max-level", 3, "--metadata-out", "-"))
    (source / "sub" / "added").write_text("five")
    (source / "with space").unlink()
    second = metadata_of(call("-F", source, *place, "--max-level", 3, "--metadata-out", "-"))

    listed = call("--action", "list", *place, "--path", "sub")
    assert [line.split()[5] for line in listed.stdout.splitlines()] == [
        "sub", "sub/added", "sub/dangling", "sub/empty", "sub/hard", "sub/link",
    ]  # fmt: skip
    assert "6 paths in etc of " in listed.stderr
    every = call("--action", "list", *place, "--metadata-out", "-", "--quiet")
    paths = [json.loads(line)["path"] for line in every.stdout.splitlines()]
    assert {"new\nline", "-dash", "\\xff\\xfe"} <= set(paths)
    found = call(
        "--action",
        "find",
        "--storage",
        "local",
        "--container",
        tmp_path / "store",
        "--include",
        "with*",
        "--include",
        "added",
    )
    assert [line.split()[0] for line in found.stdout.splitlines()] == [first["backup_id"][:8], second["backup_id"][:8]]
    history = call("--action", "history", *place, "--path", source / "with space")
    assert [line[:1] + line.split("etc ")[1][:1] for line in history.stdout.splitlines()] == ["*-", "*("]
    changes = call("--action", "diff", *place)
    assert {"+ sub/added", "- with space"} <= set(changes.stdout.splitlines())
    assert call("--action", "diff", *place, "--compare-to", source).stdout == ""
    for words, said in (
        (["list", *place, "--path", "typo"], "has nothing at typo"),
        (["find", *place, "--include", "typo"], "that could be searched has typo"),
    ):
        missed = call("--action", *words)
        assert (missed.returncode, missed.stdout) == (1, "")
        assert said in missed.stderr
    asked = call("--action", "history", *place)
    assert (asked.returncode, "--path is missing" in asked.stderr) == (2, True)


def test_a_job_gets_the_result_of_a_list_and_no_lines(call, source, place):
    assert call("-F", source, *place).returncode == 0
    ran = call("--stdin", *place, "--result-fd", "1", "--quiet", input=json.dumps({"action": "list", "path": "sub"}))
    assert json.loads(ran.stdout)["entries_count"] == 5


def test_one_file_is_written_to_standard_output_and_nothing_else_is(call, source, place, tmp_path):
    assert call("-F", source, *place).returncode == 0
    ran = call("--action", "restore", *place, "--include", "./sub/hard", "--target", "-")
    assert (ran.returncode, ran.stdout) == (0, "one")
    assert "Wrote sub/hard of etc of " in ran.stderr
    both = call("--action", "restore", *place, "--include", "./sub/hard", "--target", "-", "--metadata-out", "-")
    assert (both.returncode, both.stdout) == (2, "")
    document = json.dumps({"action": "restore", "include": "./sub/hard", "restore_abs_path": "-"})
    ran = call("--stdin", *place, input=document)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert not (tmp_path / "-").exists()


def test_the_restore_example_of_the_readme_takes_the_state_of_that_date(call, source, tmp_path):
    # freezerc --action restore --container /local_backup_storage/ --backup-name adminui.git --hostname git-HP-DL380-host-001
    #   --restore-abs-path /home/git/repositories/adminui.git/ --restore-from-date "2014-05-23T23:23:23" --storage local
    names = ["--backup-name", "adminui.git", "--hostname", "git-HP-DL380-host-001"]
    where = ["--container", f"{tmp_path}/local_backup_storage/", "--storage", "local", *names]
    first = metadata_of(call("--file-to-backup", source, *where, "--metadata-out", "-"))
    (source / "with space").write_text("changed")
    second = metadata_of(call("--file-to-backup", source, *where, "--metadata-out", "-"))
    assert second["time_stamp"] > first["time_stamp"]

    date = datetime.fromtimestamp(first["time_stamp"]).astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    target = f"{tmp_path}/repositories/adminui.git/"
    ran = call("--action", "restore", *where, "--restore-abs-path", target, "--restore-from-date", date)
    assert ran.returncode == 0, ran.stderr
    assert Path(target, "with space").read_text() == "one"

    ran = call("--action", "restore", *where, "--restore-abs-pat", target, "--restore-from-date", date)
    assert ran.returncode == 1
    assert "is not empty" in ran.stderr
    ran = call(
        "--action",
        "restore",
        *where,
        "--restore-abs-path",
        f"{tmp_path}/x",
        "--restore-from-date",
        "2014-05-23T23:23:23",
    )
    assert ran.returncode == 1
    assert "There is no backup that is old enough" in ran.stderr
    assert not (tmp_path / "x").exists()


def test_the_parallel_storages_of_the_readme_get_the_same_backup(call, source, tmp_path):
    config = tmp_path / "job.ini"
    config.write_text(
        f"""
[default]
action = backup
mode = fs
path_to_backup = {source}/
backup_name = mytest6
always_level = 2
max_segment_size = 67108864
container = {tmp_path}/backup/
storage = local
[storage:first]
storage=local
container = {tmp_path}/backup1/
[storage:second]
storage=local
container = {tmp_path}/backup2/
"""
    )
    assert call("--config", config).returncode == 0
    assert not (tmp_path / "backup").exists()
    for number in (1, 2):
        where = ["--storage", "local", "--container", tmp_path / f"backup{number}", "--backup-name", "mytest6"]
        ran = call("--action", "restore", *where, "--restore-abs-path", tmp_path / f"restored{number}")
        assert ran.returncode == 0, ran.stderr
        assert differences(str(source), str(tmp_path / f"restored{number}"), owner=True) == []

    # The file is one of a backup: what it says of that does not matter to a restore from the same place.
    ran = call("--config", config, "--action", "restore", "--restore-abs-path", tmp_path / "by file")
    assert ran.returncode == 0, ran.stderr

    # The file says backup; the command line wins, and so does the one container that it names.
    listed = metadata_of(
        call("--config", config, "--action", "info", "-C", tmp_path / "backup2", "--metadata-out", "-")
    )
    assert [backup["container"] for backup in listed["backups"]] == [str(tmp_path / "backup2")]


def test_a_storage_that_fails_makes_the_outcome_partial(call, source, tmp_path):
    (tmp_path / "file").write_text("no folder")
    storages = [{"storage": "local", "container": str(tmp_path / name)} for name in ("good", "file")]
    action = {"action": "backup", "path_to_backup": str(source), "backup_name": "etc", "storages": storages}
    ran = call("--stdin", "--result-fd", "1", input=json.dumps(action))
    assert ran.returncode == 3
    result = json.loads(ran.stdout)
    assert result["outcome"] == "partial"
    assert [storage["outcome"] for storage in result["storages"]] == ["success", "failed"]
    assert "Backed up etc of" in ran.stderr
    assert "but not all of it" in ran.stderr
    assert f"{tmp_path}/file" in ran.stderr


def test_a_scheduler_gets_the_result_on_its_descriptor(call, source, place, tmp_path):
    action = {"action": "backup", "path_to_backup": str(source), "backup_name": "etc", "storage": "local"}
    action.update(container=str(tmp_path / "store"), hostname=False)
    for wrong in (False, True):
        if wrong:
            action["max_level"] = "many"
        read, write = os.pipe()
        words = ["--stdin", "--quiet", "--log-file", tmp_path / "agent.log", "--result-fd", write]
        ran = call(*words, input=json.dumps(action), pass_fds=[write])
        os.close(write)
        with os.fdopen(read) as stream:
            result = json.load(stream)
        assert ran.stdout == ""
        if wrong:
            sentence = "max_level has to be a whole number, and is 'many'."
            assert ran.stderr == f"freezer-agent: {sentence}\n"
            assert result == {"changed": False, "exit_status": 2, "message": sentence, "outcome": "failed"}
        else:
            assert (ran.returncode, ran.stderr) == (0, "")
            assert (result["outcome"], result["hostname"]) == ("success", HOST)
    log = (tmp_path / "agent.log").read_text()
    assert "Backed up etc of" in log
    assert "ERROR max_level has to be" in log


def test_metadata_goes_to_a_file_of_its_owner(call, source, place, tmp_path):
    metadata = tmp_path / "metadata.json"
    assert call("-F", source, *place, "--metadata-out", metadata).returncode == 0
    found = json.loads(metadata.read_text())
    assert (found["backup_name"], found["hostname"], found["curr_backup_level"]) == ("etc", HOST, 0)
    assert metadata.stat().st_mode & 0o777 == 0o600


def test_info_lists_backups_and_what_is_none(call, source, place, tmp_path):
    for _time in range(2):
        assert call("-F", source, *place, "--max-level", 5).returncode == 0
    newest = json.loads(call("-l", *place, "--metadata-out", "-").stdout)["backups"][0]
    (tmp_path / "store" / newest["folder"] / "manifest.json").unlink()
    ran = call("--action", "info", "--storage", "local", "--container", tmp_path / "store", "-l")
    assert ran.returncode == 0
    assert newest["backup_id"] not in ran.stdout
    assert re.search(rf"^[0-9a-f]{{32}}  etc +{re.escape(HOST)} +0  ", ran.stdout, re.MULTILINE)
    assert f"  {newest['folder']}\n" in ran.stdout
    assert ran.stderr == ""


def test_verify_tells_a_good_backup_from_a_changed_source_and_from_damage(call, source, place, tmp_path):
    metadata = metadata_of(call("-F", source, *place, "--metadata-out", "-"))
    same = call("--action", "verify", *place, "--compare-to", source)
    assert same.returncode == 0
    assert "can be restored, and is the same as" in same.stderr
    (source / "-dash").write_text("changed")
    different = call("--action", "verify", *place, "--compare-to", source)
    assert different.returncode == 1
    assert "-dash" in different.stderr
    (segment,) = (tmp_path / "store" / metadata["folder"]).glob("data.000000*")
    segment.write_bytes(segment.read_bytes()[:-1] + b"\0")
    damaged = call("--action", "verify", *place, "--check", "segments")
    assert damaged.returncode == 1
    assert "is not what was written" in damaged.stderr


def test_a_dry_run_writes_nothing(call, source, place, tmp_path):
    ran = call("-F", source, *place, "--dry-run")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "Nothing was written." in ran.stderr
    assert not (tmp_path / "store").exists()


def test_quiet_shows_nothing_but_errors(call, source, place, tmp_path):
    ran = call("-F", source, *place, "--quiet")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    ran = call("-F", tmp_path / "none", *place, "--quiet")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"freezer-agent: --path-to-backup {tmp_path}/none cannot be read: No such file or directory.\n"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--action", "backup"], 2),
        (["--action", "admin"], 2),
        (["--action", "admin", "-N", "etc", "--storage", "local", "-C", "/no/such/container"], 1),
        (["-F", "/etc", "-N", "etc", "--storage", "local", "-C", "/tmp/x", "-R", "3"], 2),
        (["--snapshot"], 2),
        (["--encrypt-pass-file", "/dev/null"], 2),
        (["-F", "/etc", "-N", "etc", "--storage", "swift", "-C", "freezer_x"], 1),
        (["-F", "/etc", "-N", "etc", "--storage", "local", "-C", "/tmp/x", "--backup-id", ""], 2),
        (["-F", "/etc", "-N", "../q", "--storage", "local", "-C", "/tmp/x"], 2),
        (["--action", "info", "--storage", "local", "-C", "/no/such/container"], 1),
        (["--config", "/no/such/file"], 2),
        (["--stdin"], 2),
        (["--result-fd", "77"], 2),
        (["--log-file", "/no/such/folder/log", "-l"], 2),
    ],
)
def test_a_mistake_is_one_sentence_and_a_status(call, arguments, status):
    ran = call(*arguments)
    assert (ran.returncode, ran.stdout) == (status, "")
    assert re.fullmatch(r"((backup|admin)( of \S+)?: started\n)?freezer-agent: (--)?[A-Za-z_].*\.\n", ran.stderr)
    assert "Traceback" not in ran.stderr


def test_what_an_old_freezer_left_is_listed_proven_and_restored(call, tmp_path):
    place = ["--storage", "local", "-C", str(unpack(tmp_path))]
    listing = call("--action", "info", *place)
    assert (listing.returncode, listing.stderr) == (0, "")
    assert sum(line.endswith(" freezer") for line in listing.stdout.splitlines()) == 19
    sealed = [*place, "-N", "sealed", "--hostname", "web1", "--encrypt-pass-file", pass_file(tmp_path)]
    assert call("--action", "verify", *sealed).returncode == 0
    target = tmp_path / "restored"
    restored = call("--action", "restore", *sealed, "--restore-abs-path", target)
    assert restored.returncode == (0 if os.geteuid() == 0 else 3), restored.stderr
    assert (target / "changes").read_text() == "third\n"
    (tmp_path / "other").mkdir()
    sealed[-1] = pass_file(tmp_path / "other", "guessed wrong")
    refused = call("--action", "verify", *sealed)
    assert refused.returncode == 1
    assert "the passphrase in --encrypt-pass-file is another one" in refused.stderr
    assert "guessed" not in refused.stderr + refused.stdout


def test_a_list_with_nothing_of_that_name_says_so_once(call, tmp_path):
    (tmp_path / "nas").mkdir()
    ran = call("--action", "info", "--storage", "local", "-C", "nas", "-N", "nosuch", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.count("There is no backup") == 1


def test_a_password_on_the_command_line_or_in_a_file_is_not_repeated(call, tmp_path, source, place):
    config = tmp_path / "job.ini"
    config.write_text("[default]\nssh_password = geheim\n")
    log = tmp_path / "log"
    for arguments in (["--ssh-password", "geheim"], ["--config", config]):
        ran = call("-F", source, *place, "--log-file", log, *arguments)
        assert ran.returncode == 2
        assert "ssh" in ran.stderr
        assert "geheim" not in ran.stderr + ran.stdout
    assert "geheim" not in log.read_text()


def test_a_reader_that_has_seen_enough_is_no_error(call, source, place, tmp_path):
    assert call("-F", source, *place).returncode == 0
    read, write = os.pipe()
    os.close(read)
    ran = call("-l", *place, capture_output=False, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert ran.stderr == ""


def wait_for_segment(process: subprocess.Popen[bytes], store: Path) -> None:
    """Returns when the first segment has been stored."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not list(store.glob("*/*/data.000000*")):
        assert process.poll() is None, "it ended before it could be disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_backup_and_leaves_nothing_behind(slow, place, tmp_path, call, number):
    words = [COMMAND, "-F", slow, *place, *SLOWLY, "--result-fd", "1"]
    process = subprocess.Popen(
        [str(word) for word in words],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    wait_for_segment(process, tmp_path / "store")
    process.send_signal(number)
    out, err = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 128 + number
    assert err.decode().endswith(f"freezer-agent: Ended by {number.name}; what was begun has been removed.\n")
    assert json.loads(out)["exit_status"] == 128 + number
    left = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert sorted(path.name for path in left) == [".freezer-backup", ".lock"]
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)  # tar and whatever else it had started are gone too
    # The next run finds nothing in its way.
    assert metadata_of(call("-F", slow, *place, "--metadata-out", "-"))["level"] == 0


@pytest.mark.parametrize("impatient", [False, True], ids=["once", "again_and_again"])
def test_a_signal_during_a_restore_leaves_the_target_as_it_was(place, tmp_path, call, impatient):
    folder = tmp_path / "zeros"
    folder.mkdir()
    with (folder / "file").open("wb") as file:
        for _mebibyte in range(256):
            file.write(bytes(1 << 20))
    assert call("-F", folder, *place).returncode == 0
    target = tmp_path / "target"
    words = [COMMAND, "--action", "restore", *place, "--restore-abs-path", target]
    process = subprocess.Popen(
        [str(word) for word in words], env=environment(tmp_path), stderr=subprocess.PIPE, start_new_session=True
    )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not list(target.glob(".freezer-restore-*/tree/file")):
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended before it could be disturbed"
        time.sleep(0.001)
    # A terminal sends Ctrl-C to the program and to all that it has started.
    os.killpg(process.pid, signal.SIGINT)
    while impatient and process.poll() is None and target.exists() and time.monotonic() < deadline:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.0005)
    _out, err = process.communicate(timeout=_PATIENCE_SECONDS)
    assert process.returncode == 130, err.decode()
    assert err.decode().splitlines()[-1] == "freezer-agent: Ended by SIGINT; what was begun has been removed."
    assert not target.exists()


def on_terminal(words: list[str], columns: int, folder: Path, interrupt_after: bytes = b"") -> tuple[int, str]:
    """Runs a command on a terminal of its own; returns its exit status and all that it wrote there.

    It gets SIGINT when it has written `interrupt_after`.
    """
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        words,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment(folder), "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    try:
        while True:
            block = os.read(controller, 65536)
            if not block:
                break
            seen += block
            if interrupt_after and interrupt_after in seen:
                process.send_signal(signal.SIGINT)
                interrupt_after = b""
    except OSError:
        pass  # how a terminal says that nobody has it open any more
    os.close(controller)
    return process.wait(timeout=_PATIENCE_SECONDS), seen.decode()


def without_colours(text: str) -> str:
    """Text as it would be read, every redrawn line for itself."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")


@pytest.mark.parametrize("columns", [100, 50])
def test_a_terminal_shows_a_bar_with_bytes_files_and_time_left(slow, place, tmp_path, columns):
    words = [COMMAND, "-F", slow, *place, *SLOWLY]
    status, seen = on_terminal([str(word) for word in words], columns, tmp_path)
    assert status == 0
    plain = without_colours(seen)
    bars = [line for line in plain.splitlines() if line.startswith("backup ")]
    assert all(len(line) <= columns for line in bars)
    drawn = [line for line in bars if re.search(r" ━*╸?╺?━* .*\d+% .* of [\d.]+ MiB", line)]
    assert drawn, plain
    assert any(line.rstrip().endswith(" left") for line in drawn), plain
    if columns >= 80:
        assert any(re.search(r"\d files? ", line) for line in drawn), plain
    assert seen.endswith("\r\n")
    assert seen.count("\x1b[?25l") == seen.count("\x1b[?25h") > 0, "the cursor has to come back"
    summary = plain[plain.rindex("Backed up etc of") :]
    assert re.search(r"^  level +0 ", summary, re.MULTILINE)
    assert "━" not in summary


def test_the_bar_of_an_increment_expects_the_increment_only(slow, place, tmp_path, call):
    level = ["--max-level", 3]
    assert call("-F", slow, *place, *level).returncode == 0
    (slow / "small1").write_bytes(bytes(3 << 20))
    status, seen = on_terminal([str(word) for word in [COMMAND, "-F", slow, *place, *level]], 100, tmp_path)
    assert status == 0
    assert re.search(r" of 3\.\d\d MiB", without_colours(seen))
    assert re.search(r"level +1 ", without_colours(seen))


def test_an_interrupted_bar_gives_the_cursor_back(slow, place, tmp_path):
    words = [COMMAND, "-F", slow, *place, *SLOWLY]
    status, seen = on_terminal([str(word) for word in words], 100, tmp_path, interrupt_after=b"\x1b[?25l")
    assert status == 130, seen
    assert 0 < seen.rfind("\x1b[?25l") + 1 < seen.rfind("\x1b[?25h")
    assert without_colours(seen).rstrip().endswith("Ended by SIGINT; what was begun has been removed.")


def test_a_terminal_and_json_together_keep_standard_output_clean(source, place, tmp_path):
    shell = 'out=$1; shift; exec "$@" > "$out"'
    words = ["sh", "-c", shell, "sh", tmp_path / "out.json", COMMAND, "-F", source, *place, "--metadata-out", "-"]
    status, seen = on_terminal([str(word) for word in words], 100, tmp_path)
    assert status == 0
    assert json.loads((tmp_path / "out.json").read_text())["backup_name"] == "etc"
    assert "Backed up etc of" in seen


def test_names_of_files_cannot_draw_on_the_terminal(call, place, tmp_path):
    folder = tmp_path / "evil"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(folder)
        try:
            made.bind("\x1b[2Jnew\nline")
        finally:
            os.chdir(before)
    ran = call("-F", folder, *place, "--log-file", tmp_path / "log")
    assert ran.returncode == 0
    for text in (ran.stderr, (tmp_path / "log").read_text()):
        assert "\\x1b[2Jnew\\nline: socket ignored" in text
        assert "\x1b" not in text


def test_version_and_help_answer_without_the_engine_and_rich(tmp_path):
    for flag in ("--version", "--help"):
        words = [sys.executable, "-X", "importtime", COMMAND, flag]
        ran = subprocess.run(words, capture_output=True, text=True, check=True, env=environment(tmp_path))
        assert "freezer-agent" in ran.stdout
        imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
        assert not imported & {"rich", "zstandard", "subprocess"}, "starting has become slow"


def test_admin_removes_what_is_old_and_says_so(call, source, place):
    for _number in range(3):
        assert call("-F", source, *place).returncode == 0
    planned = call("--action", "admin", *place, "--keep-last", 1, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "Nothing was removed. 2 backups of etc" in planned.stderr
    ran = call("--action", "admin", *place, "--keep-last", 1, "--metadata-out", "-")
    assert ran.returncode == 0, ran.stderr
    assert "Removed 2 backups of etc" in ran.stderr
    assert metadata_of(ran)["removed_count"] == 2
    document = {"action": "admin", "backup_name": "etc", "remove_older_than": 30, "mode": "fs"}
    ran = call("--stdin", "--storage", "local", "--container", place[3], input=json.dumps(document))
    assert ran.returncode == 0, ran.stderr
    assert "No backup of etc" in ran.stderr
    assert metadata_of(call("--action", "info", *place, "--metadata-out", "-"))["backups"][0]["level"] == 0
