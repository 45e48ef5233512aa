# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""backup, restore, verify and prune as Ansible runs them: options, check mode, diff, second runs, sentences."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.modules import MASKS, run_module

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey, State, signers_file
from ansible_collections.freezer.backup.tests.support.upstream_backups import pass_file, unpack


class Host:
    """A folder with data, and a place for its backups."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.data = top / "data"
        self.container = top / "backups"
        self.target = top / "restored"
        (self.data / "folder").mkdir(parents=True)
        (self.data / "folder" / "file").write_text("first")
        self.place = {"storage": "local", "container": str(self.container), "backup_name": "data"}

    def attempt(self, module: str, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        usual = {"backup": {"path_to_backup": str(self.data)}, "restore": {"restore_abs_path": str(self.target)}}
        return run_module(module, {**self.place, **usual.get(module, {}), **options}, check_mode)

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """Run a module that has to succeed, after check mode has promised the same and written nothing."""
        before = self.everything()
        promised = self.attempt(module, check_mode=True, **options)
        assert self.everything() == before
        result = self.attempt(module, **options)
        assert not result["failed"], result["msg"]
        assert (promised["changed"], promised["diff"]) == (result["changed"], result["diff"])
        return result

    def sentence(self, module: str, **options: Any) -> str:
        """Run a module that has to fail without writing anything, and return what it says."""
        before = self.everything()
        for check_mode in (True, False):
            result = self.attempt(module, check_mode, **options)
            assert result["failed"]
            assert self.everything() == before
        message: str = result["msg"]
        assert "Traceback" not in message
        return message

    def look(self, **options: Any) -> dict[str, Any]:
        """Run backup_contents_info, which has to succeed, and writes nothing in check mode or without."""
        before = self.everything()
        result, again = (
            self.attempt("backup_contents_info", check_mode=check_mode, **options) for check_mode in (True, False)
        )
        assert not result["failed"], result["msg"]
        assert (result["entries"], result["changed"], self.everything()) == (again["entries"], False, before)
        return result

    def everything(self) -> dict[str, tuple[int, int]]:
        found = (Path(folder) / name for folder, folders, files in os.walk(self.top) for name in [*folders, *files])
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in found}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_a_backup_is_made_and_described(host):
    result = host.run("backup")
    assert result["changed"]
    assert (result["outcome"], result["level"]) == ("success", 0)
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["path_to_backup"] == str(host.data)
    assert result["metadata"]["backup_id"] == result["backup_id"]
    assert (host.container / result["storages"][0]["folder"] / "manifest.json").is_file()


@pytest.mark.parametrize("options", [{"no_incremental": True}, {"incremental": False}], ids=str)
def test_either_spelling_makes_a_full_backup(host, options):
    host.run("backup", max_level=3)
    assert host.run("backup", max_level=3, **options)["level"] == 0
    said = host.sentence("backup", no_incremental=True, incremental=True)
    assert "no_incremental and incremental are one option and ask for different things" in said


def test_check_mode_foretells_the_level(host):
    host.run("backup", max_level=1)
    assert host.attempt("backup", check_mode=True, max_level=1)["level"] == 1
    assert host.run("backup", max_level=1)["level"] == 1
    assert host.run("backup", max_level=1)["level"] == 0


def test_a_backup_that_is_young_enough_is_not_repeated(host):
    first = host.run("backup")
    second = host.run("backup", min_age=3600)
    assert not second["changed"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert second["backup_id"] == first["backup_id"]
    assert host.run("backup", min_age=0)["changed"]


def test_what_is_in_backups_is_told_without_a_restore(host):
    host.run("backup")
    (host.data / "folder" / "file").write_text("second")
    (host.data / "new").write_text("")
    last = host.run("backup", max_level=3)
    found = host.look()
    assert [(one["path"], one["kind"]) for one in found["entries"]] == [
        (".", "folder"), ("folder", "folder"), ("folder/file", "file"), ("new", "file"),
    ]  # fmt: skip
    assert (found["backup_id"], found["entries_count"], found["outcome"]) == (last["backup_id"], 4, "success")
    found = host.look(action="find", include=["file"], backup_name=None)
    assert [(one["path"], one["size"]) for one in found["entries"]] == [("folder/file", 5), ("folder/file", 6)]
    found = host.look(action="history", path="new")
    assert sorted(one["present"] for one in found["entries"]) == [False, True]
    found = host.look(action="diff")
    assert {(one["path"], one["change"]) for one in found["entries"]} == {("folder/file", "changed"), ("new", "added")}
    (host.data / "new").unlink()
    found = host.look(action="diff", compare_to=str(host.data))
    assert [(one["path"], one["change"]) for one in found["entries"]] == [("new", "removed")]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "nowhere"}, "has nothing at nowhere"),
        ({"action": "find"}, "include is missing: say what to find"),
        ({"action": "history"}, "path is missing: say which file or folder to follow"),
        ({"action": "diff"}, "There is no backup before"),
        ({"action": "restore"}, "action is restore, and freezer.backup.backup_contents_info was called; use freezer.backup.restore"),
        ({"keep_last": 1}, "does not take keep_last, which is for freezer.backup.prune"),
        ({"action": "find", "include": ["x"], "compare_to": "/etc"}, "compare_to is for verify and diff"),
        ({"backup_id": "abcd1234"}, "abcd1234"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_told_of_backups_is_a_sentence(host, options, sentence):
    host.run("backup")
    assert sentence in host.sentence("backup_contents_info", **options)


def test_dry_run_does_as_check_mode(host):
    before = host.everything()
    result = host.attempt("backup", dry_run=True)
    assert (result["outcome"], host.everything()) == ("planned", before)


def test_an_action_document_is_a_set_of_options_of_the_module_for_its_verb(host):
    common = {"mode": "fs", "engine_name": "tar", "log_file": "/var/log/freezer.log", "keep_last": None, **host.place}
    of_backup = {"action": "backup", "path_to_backup": str(host.data), "max_backup_level": 2, "exclude": ["*.tmp"]}
    assert host.run("backup", **common, **of_backup)["changed"]
    assert not host.run("verify", action="verify", check="segments", **common)["changed"]
    assert host.run("restore", action="restore", restore_abs_path=str(host.target), overwrite=True, **common)["changed"]


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        (
            "verify",
            {"keep_last": 1},
            "freezer.backup.verify does not take keep_last, which is for freezer.backup.prune",
        ),
        (
            "backup",
            {"action": "restore"},
            "action is restore, and freezer.backup.backup was called; use freezer.backup.restore",
        ),
        (
            "prune",
            {"max_backup_level": 1},
            "freezer.backup.prune does not take max_backup_level, which is for freezer.backup.backup",
        ),
    ],
)
def test_what_is_for_another_module_is_refused_with_its_name(host, module, options, said):
    assert host.sentence(module, **options).startswith(said)


def test_one_option_in_two_spellings_that_differ_is_refused(host):
    said = host.sentence("backup", max_level=1, max_backup_level=2)
    assert said.startswith(
        "max_level and max_backup_level are one option and ask for different things; keep one of them."
    )
    assert host.run("backup", max_level=1, max_backup_level=1)["changed"]


def test_a_restore_gives_back_what_was_there(host):
    host.run("backup")
    result = host.run("restore")
    assert result["changed"]
    assert differences(str(host.data), str(host.target)) == []


def test_a_second_restore_with_overwrite_changes_nothing(host):
    host.run("backup")
    host.run("restore", overwrite=True)
    (host.target / "of somebody else").touch()
    os.utime(host.target, ns=(0, host.data.stat().st_mtime_ns))
    second = host.run("restore", overwrite=True)
    assert not second["changed"]
    assert second["diff"]["before"] == second["diff"]["after"]
    assert (host.target / "of somebody else").exists()


def test_a_restore_over_other_contents_replaces_them(host):
    host.run("backup")
    host.run("restore")
    (host.target / "folder" / "file").write_text("other")
    assert host.run("restore", overwrite=True)["changed"]
    assert (host.target / "folder" / "file").read_text() == "first"


def test_an_older_state_is_restored_by_its_id(host):
    first = host.run("backup", max_level=3)
    (host.data / "folder" / "file").write_text("second")
    host.run("backup", max_level=3)
    host.run("restore", backup_id=first["backup_id"])
    assert (host.target / "folder" / "file").read_text() == "first"


def test_a_folder_that_is_not_empty_is_refused(host):
    host.run("backup")
    host.target.mkdir()
    (host.target / "mine").touch()
    assert "is not empty" in host.sentence("restore")


def test_a_proof_changes_nothing_and_says_what_it_proved(host):
    host.run("backup")
    for check in ("segments", "stream", "restore"):
        result = host.run("verify", check=check)
        assert not result["changed"]
        assert (result["outcome"], result["check"]) == ("success", check)


def test_a_proof_fails_when_the_folder_is_another(host):
    host.run("backup")
    assert host.run("verify", compare_to=str(host.data))["differences"] == []
    (host.data / "folder" / "file").write_text("other")
    assert "folder/file: content" in host.sentence("verify", compare_to=str(host.data))


def test_a_proof_fails_when_a_segment_is_damaged(host):
    result = host.run("backup")
    (segment,) = (host.container / result["storages"][0]["folder"]).glob("data.000000*")
    written = segment.read_bytes()
    segment.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    assert "is not what was written" in host.sentence("verify", check="segments")


@pytest.mark.usefixtures("own_tmp")
def test_what_an_old_freezer_left_is_proven_and_restored(host):
    unpack(host.top)
    host.place["container"] = str(host.top / "container")
    options = {"backup_name": "sealed", "hostname": "web1", "encrypt_pass_file": pass_file(host.top)}
    proven = host.run("verify", **options)
    assert (proven["format"], proven["changed"], proven["level"]) == ("freezer", False, 2)
    restored = host.run("restore", **options)
    assert (restored["format"], restored["changed"]) == ("freezer", True)
    assert (host.target / "changes").read_text() == "third\n"
    assert "is not removed" in host.sentence("prune", keep_last=1, backup_name="sealed", hostname="web1")


@pytest.mark.usefixtures("own_tmp")
def test_modules_encrypt_for_a_key_and_believe_the_signers_of_a_list(host, tmp_path, monkeypatch):
    state = State(tmp_path / "state", monkeypatch)
    key = AgeKey(tmp_path, "key")
    made = host.run("backup", encryption_recipients=[key.public])
    assert (made["encrypted"], made["encryption"]) == (True, "age")
    assert "give a secret key (identity_file)" in host.sentence("verify")
    name = made["hostname"]
    signers = signers_file(tmp_path, f"{name} {(state.folder / 'signing_key.pub').read_text().strip()}")
    opened = {"identity_file": key.file, "trusted_signers": signers}
    assert host.run("verify", **opened)["signed_by"] == made["signed_by"]
    assert host.run("restore", **opened)["key_id"] == made["key_id"]
    host.run("backup", signing_key="none")
    assert "is not signed, and trusted_signers says" in host.sentence("verify", **opened)


@pytest.mark.usefixtures("own_tmp")
def test_prune_removes_what_no_rule_keeps_and_the_second_time_nothing(host):
    backups = [host.attempt("backup") for _number in range(3)]
    folders = [result["storages"][0]["folder"] for result in backups]
    half = host.container / Path(folders[0]).parent / "1_0"
    half.mkdir()
    result = host.run("prune", keep_last=1)
    assert result["changed"]
    assert [one["backup_id"] for one in result["removed"]] == [backups[1]["backup_id"], backups[0]["backup_id"]]
    before = {"backups": folders[::-1], "leftovers": [str(half.relative_to(host.container))]}
    assert result["diff"] == {"before": before, "after": {"backups": folders[2:], "leftovers": []}}
    again = host.run("prune", keep_last=1)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert not host.attempt("restore")["failed"]


@pytest.mark.usefixtures("own_tmp")
@pytest.mark.usefixtures("own_tmp")
def test_an_action_admin_is_a_valid_set_of_options_for_prune_and_for_no_other(host):
    host.run("backup")
    action = {"action": "admin", "mode": "fs", "remove_older_than": 30}
    assert not host.run("prune", **action)["changed"]
    del action["action"]
    assert "remove_older_than, which is for freezer.backup.prune" in host.sentence("backup", **action)


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        ("prune", {"keep_last": -1}, "keep_last has to be a number that is not negative"),
        ("prune", {"container": "/there/is/none", "keep_last": 1}, "There is no folder /there/is/none"),
        ("backup", {"path_to_backup": "/there/is/none"}, "path_to_backup /there/is/none cannot be read"),
        ("backup", {"container": "relative"}, "absolute path"),
        ("restore", {"restore_abs_path": "here"}, "restore_abs_path has to be an absolute path, and is 'here'"),
        ("backup", {"cloud": "home", "osrc": "/root/openrc"}, "mutually exclusive: osrc|cloud"),
        ("backup", {"max_segment_size": "some"}, "max_segment_size has to be a size in bytes"),
        ("backup", {"backup_name": "a/b"}, "The backup_name 'a/b' cannot name a folder"),
        ("restore", {"restore_from_date": "tomorrow"}, "restore_from_date has to be a date"),
        ("restore", {}, "There is no"),
        (
            "restore",
            {"path_to_backup": "/etc/ssh"},
            "path_to_backup says what a backup reads, and a restore has no use for it",
        ),
        ("verify", {}, "There is no"),
        ("restore", {"restore_abs_path": None}, "restore_abs_path is missing: say which folder to restore into."),
        ("backup", {"path_to_backup": None}, "path_to_backup is missing: say which folder or file to back up."),
    ],
)
def test_bad_input_gets_a_sentence_and_writes_nothing(host, module, options, said):
    assert said in host.sentence(module, **options)


def test_a_partial_backup_warns_with_the_first_reason(host):
    lost = host.top / "a file, not a folder"
    lost.touch()
    storages = [{"storage": "local", "container": path} for path in (str(host.container), str(lost))]
    result = run_module("backup", {"path_to_backup": str(host.data), "backup_name": "data", "storages": storages})
    assert not result["failed"]
    assert result["outcome"] == "partial"
    assert [storage["outcome"] for storage in result["storages"]] == ["success", "failed"]
    assert str(lost) in str(result["warnings"])


def test_without_a_place_the_module_says_what_to_give(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    refused = run_module("backup", {"path_to_backup": "/etc", "backup_name": "etc"})
    assert refused["msg"].startswith("storage is missing: for a folder of this host it is local")
    refused = run_module("backup", {"path_to_backup": "/etc", "backup_name": "etc", "storage": "local"})
    assert refused["msg"].startswith("container is missing: ")


@pytest.mark.parametrize("module", ["backup", "restore", "verify", "prune"])
def test_an_option_that_is_refused_shows_no_secret(tmp_path, module):
    storage = {"storage": "local", "container": str(tmp_path), "password": "s3cret-word"}
    result = run_module(module, {"backup_name": "data", "storages": [storage], "db_pass": "s3cret-word"})
    assert "password" in result["msg"]
    assert "s3cret-word" not in str(result)
    assert result["invocation"]["module_args"]["storages"][0]["password"] in MASKS


def test_every_module_masks_the_options_that_it_repeats():
    folder = Path(__file__).parents[3] / "plugins"
    plain = [path.name for path in folder.rglob("*.py") if "AnsibleModule(" in path.read_text()]
    assert plain == []
