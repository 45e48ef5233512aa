# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Trees that change at random between levels, and every backup of them restored, in whole and in part, and looked into."""

from __future__ import annotations

import hashlib
import random
import tempfile

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.contents import read_contents
from ansible_collections.freezer.backup.plugins.module_utils._engine.agent.restore_file import restore_file
from ansible_collections.freezer.backup.plugins.module_utils._engine.repository.errors import ArchiveError
from ansible_collections.freezer.backup.plugins.module_utils._engine.system.file_names import shown
from ansible_collections.freezer.backup.tests.support.key_files import AgeKey
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences
from ansible_collections.freezer.backup.tests.support.soak import rounds
from ansible_collections.freezer.backup.tests.support.tree_model import a_pattern, literally, model_of, restored_part
from ansible_collections.freezer.backup.tests.support.trees import RandomTree, remember
from ansible_collections.freezer.backup.tests.support.version_2 import read_manifest

pytestmark = [pytest.mark.rounds, pytest.mark.usefixtures("tiny_segments")]

SEEDS = rounds(12)
LEVELS = 5


class Levels:
    """Five backups of a tree that changes at random, and a copy of it from the time of each."""

    def __init__(self, folder, seed):
        choose = random.Random(f"options {seed}")
        options = choose.choice(
            [
                {"max_level": LEVELS},
                {"max_level": 2},
                {"always_level": choose.choice([1, 2, 3])},
                {"max_level": 4, "always_level": 2},
                {"restart_always_level": 1},
                {"restart_always_level": 1, "always_level": 1},
            ]
        )
        (folder / "source").mkdir()
        compression = choose.choice(["zstd", "gzip", "none"])
        self.some = Set(folder, **options, compression=compression, max_segment_size="4k")
        self.is_sealed = seed % 2 == 1
        self.opens = {}
        if self.is_sealed:
            key = AgeKey(folder, "identity")
            self.some.options["encryption_recipients"] = [key.public]
            self.opens = {"identity_file": key.file}
        self.some.source.rmdir()
        tree = RandomTree(self.some.source, folder / "outside", seed)
        self.log = tree.log
        self.backups = []
        for level in range(LEVELS):
            if level:
                tree.mutate()
            result = self.some.backup()
            assert result["outcome"] == "success", (tree.log, result)
            assert result["encryption"] == ("age" if self.is_sealed else "none")
            copy = folder / f"copy-{level}"
            remember(self.some.source, copy)
            self.backups.append((result, copy))
            tree.log.append(f"-- level {result['level']}: {result['reason']}")
        # The next runs of the tree are none: what follows is only read.
        self.models = {result["backup_id"]: model_of(copy) for result, copy in self.backups}

    def root(self, backup_id):
        """The level 0 of a backup."""
        (parent,) = [one["parent_backup_id"] for one, _copy in self.backups if one["backup_id"] == backup_id]
        return backup_id if parent is None else self.root(parent)

    @property
    def action(self):
        """What reads the backups."""
        named = {key: self.some.options[key] for key in ("storage", "container", "backup_name", "hostname")}
        return {**named, **self.opens}

    def look(self, what, **options):
        """Every entry that is told, and the result."""
        entries = []
        result = read_contents({**self.action, **options}, what, entries.append)
        assert result["outcome"] == "success"
        return entries, result


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_level_of_a_randomly_changing_tree_restores_to_what_was_there(tmp_path, seed):
    made = Levels(tmp_path, seed)
    some = made.some
    for result, copy in made.backups:
        read_manifest(some.folder_of(result))  # of version 2
        by_id, by_date = some.new_target(), some.new_target()
        some.restore(by_id, backup_id=result["backup_id"], **made.opens)
        assert differences(copy, by_id) == [], (result["backup_id"], made.log)
        some.restore(by_date, restore_from_date=result["timestamp"], **made.opens)
        assert differences(copy, by_date) == [], (result["timestamp"], made.log)
    choose = random.Random(f"parts {seed}")
    names = sorted({name for model in made.models.values() for name in model})
    assert_parts_restore(made, choose, names)
    assert_one_file_is_given_out(made, choose)
    assert_it_is_found(made, choose, names)
    assert_differences_are_told(made, choose)


def path_of(name):
    return shown(name.decode("utf-8", "surrogateescape")) or "."


def assert_parts_restore(made, choose, names):
    """What two patterns select, and one path."""
    for exclude_too in (True, False):
        backup_id, model = choose.choice(list(made.models.items()))
        include = [a_pattern(choose, names) for _one in range(choose.choice([1, 2]))]
        exclude = [a_pattern(choose, names)] if exclude_too else []
        asked = {"include": [text for text, _matches in include], "exclude": [text for text, _matches in exclude]}
        expected = restored_part(model, include, exclude)
        target = made.some.new_target()
        result, problem = attempt(made.some.restore, target, backup_id=backup_id, **asked, **made.opens)
        if not expected:
            assert isinstance(problem, ArchiveError), (asked, made.log)
            assert not target.exists()
            continue
        assert problem is None, (asked, str(problem), made.log)
        assert result["selected"] == sum(expected.values()), (asked, made.log)
        found = model_of(target)
        assert set(found) == set(expected), (asked, made.log)
        for name in expected:
            if name:
                assert like(found[name], expected[name]) == like(model[name], expected[name]), (asked, name, made.log)
        entries, _result = made.look("list", backup_id=backup_id, **asked)
        wanted = sorted(path_of(name) for name, itself in expected.items() if itself)
        assert sorted(one["path"] for one in entries) == wanted, (asked, made.log)


def assert_one_file_is_given_out(made, choose):
    """The content of one path of one backup, for a pipe, and nothing else."""
    backup_id, model = choose.choice(list(made.models.items()))
    names = sorted(name for name, entry in model.items() if entry.kind == "file")
    if not names:
        return
    name = choose.choice(names)
    action = {**made.action, "backup_id": backup_id, "include": [literally(name)]}
    with tempfile.TemporaryFile() as file:
        result = restore_file(action, file.fileno())
        file.seek(0)
        assert hashlib.file_digest(file, "sha256").hexdigest() == model[name].content, (name, made.log)
    assert (result["path"], result["restored_bytes"]) == (path_of(name), model[name].size), (name, made.log)


def like(entry, wanted):
    """What has to be the same: a file in a part may have lost those that it is linked with."""
    return entry._replace(is_linked=False, mtime_ns=entry.mtime_ns if wanted else 0)


def assert_it_is_found(made, choose, names):
    """A list of each backup; one pattern and one path in all of them."""
    for backup_id, model in made.models.items():
        entries, _result = made.look("list", backup_id=backup_id)
        assert sorted(one["path"] for one in entries) == sorted(map(path_of, model)), made.log
        told = {one["path"]: one for one in entries}
        for name, entry in model.items():
            one = told[path_of(name)]
            assert int(one["mode"], 8) == entry.mode, (name, made.log)
            assert one["kind"] == entry.kind or (one["kind"] == "hard link" and entry.is_linked), (name, made.log)
            if one["kind"] == "file":
                assert one["size"] == entry.size, (name, made.log)
    text, matches = a_pattern(choose, names)
    expected = {
        (backup, path_of(name)) for backup, model in made.models.items() for name in model if name and matches(name)
    }
    entries, _result = made.look("find", include=[text])
    assert {(one["backup_id"], one["path"]) for one in entries} == expected, (text, made.log)
    name = choose.choice([one for one in names if one])
    entries, _result = made.look("history", path=name.decode("utf-8", "surrogateescape"))
    versions = [(one["backup_id"], one["present"]) for one in entries]
    assert versions == [(backup, name in model) for backup, model in made.models.items()], (name, made.log)
    before = None
    for one, model in zip(entries, made.models.values(), strict=True):
        now = model.get(name)
        if now is not None and before is not None and now.kind != "folder" and like(now, True) != like(before, True):
            assert one["is_changed"], (name, made.log)
        assert (now is None) == (before is None) or one["is_changed"], (name, made.log)
        before = now


def assert_differences_are_told(made, choose):
    """Between two of the backups, the older one first."""
    first, second = sorted(choose.sample(range(LEVELS), 2))
    ids = list(made.models)
    old, new = made.models[ids[first]], made.models[ids[second]]
    entries, result = made.look("diff", backup_id=ids[second], since_backup_id=ids[first])
    told = {
        change: {one["path"] for one in entries if one["change"] == change}
        for change in ("added", "removed", "changed")
    }
    assert result["counts"] == {change: len(paths) for change, paths in told.items()}
    assert told["added"] == {path_of(name) for name in set(new) - set(old)}, made.log
    assert told["removed"] == {path_of(name) for name in set(old) - set(new)}, made.log
    again = {one["path"] for one in entries if one["fields"] == ["stored again"]}
    for name in set(old) & set(new):
        one, other = old[name], new[name]
        if one.is_linked or other.is_linked:
            continue  # of links a catalogue does not say what they lead to
        if one.kind == other.kind == "folder":
            one, other = one._replace(mtime_ns=0), other._replace(mtime_ns=0)
        changed = one._replace(content="") != other._replace(content="")
        path = path_of(name)
        assert changed == (path in told["changed"] - again), (name, one, other, made.log)
        if made.root(ids[first]) == made.root(ids[second]):
            # A content that changed, and nothing else, was stored again in another level.
            assert one.content == other.content or path in told["changed"], (name, made.log)
