# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Containers changed at random: a backup is refused in a sentence, or is exactly what it was, and tar gets no other byte."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from pathlib import Path

import pytest

from ansible_collections.freezer.backup.plugins.module_utils._engine.agent import agent
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive import tar
from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.member_stream import MemberStream
from ansible_collections.freezer.backup.tests.support import mutations
from ansible_collections.freezer.backup.tests.support.forged_parts import forge_something
from ansible_collections.freezer.backup.tests.support.guards import no_hang
from ansible_collections.freezer.backup.tests.support.key_files import (
    AgeKey,
    State,
    pass_file,
    quick_scrypt,
    signers_file,
)
from ansible_collections.freezer.backup.tests.support.sets import Set, attempt, differences, tick
from ansible_collections.freezer.backup.tests.support.soak import SOAK, rounds
from ansible_collections.freezer.backup.tests.support.trees import remember
from ansible_collections.freezer.backup.tests.support.trees import write as write_file
from ansible_collections.freezer.backup.tests.support.version_2 import Forgery

pytestmark = pytest.mark.rounds

#: Of each kind of container; 20,000 in all in `make soak`.
ROUNDS = 40 * rounds(0) if SOAK else 12
#: The most that memory may grow by, and seconds that one attempt may take on a machine with much else to do.
_MOST_GROWTH_KIB, _MOST_SECONDS = 96 << 10, 60
_END = bytes(1024)
_real_pbkdf2 = hashlib.pbkdf2_hmac


def _quick_pbkdf2(name, password, salt, iterations, length):
    """Another key for other iterations, as it should be, without the work of them."""
    return _real_pbkdf2(name, password, salt + str(iterations).encode(), 1, length)


class Chains:
    """Backups of one host under two names, and for every one of them what was there, and what tar gets to restore it."""

    def __init__(self, folder: Path, encryption: str, patch: pytest.MonkeyPatch) -> None:
        self.state = State(folder / "state", patch)
        key = AgeKey(folder, "identity")
        codec = "none" if encryption == "none" else "zstd"
        self.some = Set(folder, max_level=2, compression=codec, block_level_size=1 << 20)
        self.copies: dict[str, Path] = {}
        self.earlier: list[mutations.State] = []
        self._folder = folder
        options = {
            "none": {},
            "age": {"encryption_recipients": [key.public]},
            "aes-256-cfb": {"encryption": "aes-256-cfb", "encrypt_pass_file": pass_file(folder)},
        }[encryption]
        self.some.options.update(options)
        for number in range(5):
            self._change(number)
            self._backup(f"copy {number}")
        other = {**self.some.options, "backup_name": "other"}
        self.some.options, own = other, self.some.options
        self._backup("other")
        self.some.options = own
        self.reads: dict[str, object] = {}
        if encryption == "aes-256-cfb":
            self.reads["encrypt_pass_file"] = own["encrypt_pass_file"]
        else:
            line = (self.state.folder / "signing_key.pub").read_text().strip()
            self.reads["trusted_signers"] = signers_file(folder, f"host {line}")
        if encryption == "age":
            self.reads["identity_file"] = key.file
        self.whole = mutations.read(self.some.container)
        assert any("/maps" in name for name in self.whole)
        assert any("/blocks." in name for name in self.whole)

    def _change(self, number: int) -> None:
        source = self.some.source
        write_file(source / f"folder {number}" / "file", f"of {number}".encode() * 40)
        write_file(source / "always another", str(number).encode() * (number + 1))
        if number == 0:
            os.symlink("always another", source / "link")
            write_file(source / "first", b"one" * 500, 0o600)
            os.link(source / "first", source / "second")
            write_file(source / "large", bytes(1 << 20) + b"end")
        else:
            with open(source / "large", "r+b") as large:
                large.write(str(number).encode())
            shutil.rmtree(source / f"folder {number - 1}")
        tick()

    def _backup(self, name: str) -> None:
        result = self.some.backup()
        assert (result["outcome"], result["problems"]) == ("success", [])
        self.copies[result["backup_id"]] = self._folder / name
        remember(self.some.source, self.copies[result["backup_id"]])
        self.earlier.append(mutations.read(self.some.container))

    def action(self, **options) -> dict[str, object]:
        """What reads the backups."""
        own = self.some.options
        named = {name: own[name] for name in ("storage", "container", "backup_name", "hostname")}
        return {**named, **self.reads, **options}


class ToTar:
    """Keeps what each tar gets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.fed: list[bytearray] = []
        real = tar.start

        def start(*arguments, **options):
            program = real(*arguments, **options)
            if program.stdin is not None:
                self.fed.append(bytearray())
                program.stdin = _Noted(program.stdin, self.fed[-1])
            return program

        patch.setattr(tar, "start", start)


class _Noted:
    def __init__(self, pipe, kept):
        self._pipe, self._kept = pipe, kept

    def write(self, data):
        self._kept += data
        return self._pipe.write(data)

    def close(self):
        self._pipe.close()


def members_of(fed):
    """The members of what a tar got, by the block that each begins with."""
    found, place = {}, 0
    lengths = []
    stream = MemberStream("it", lambda one: lengths.append(one.length))
    stream.check(bytes(fed))
    stream.finish()
    for length in lengths:
        member = bytes(fed[place : place + length])
        found.setdefault(member[:512], []).append(member)
        place += length
    return found


def is_made_of(fed, members):
    """Whether there is nothing in it but these members, the last one maybe not to its end, and the end of an archive."""
    place = 0
    while place < len(fed):
        begin = bytes(fed[place : place + 512])
        one = next((one for one in members.get(begin, []) if fed.startswith(one[: len(fed) - place], place)), None)
        if one is None:
            return _END.startswith(fed[place:])
        place += len(one)
    return True


def peak_kib(begin=False):
    """The most memory that this process had, of late."""
    if begin:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.fixture(scope="module", params=["age", "none", "aes-256-cfb"])
def chains(request, tmp_path_factory):
    """Chains that nobody changes but for the time of a test."""
    with pytest.MonkeyPatch.context() as patch:
        quick_scrypt(patch)
        patch.setattr(hashlib, "pbkdf2_hmac", _quick_pbkdf2)
        made = Chains(tmp_path_factory.mktemp(request.param), request.param, patch)
        made.kind, made.to_tar = request.param, ToTar(patch)
        made.members = {}
        for backup_id in list(made.copies)[:-1]:
            target = made.some.new_target()
            agent.restore(made.action(restore_abs_path=str(target), backup_id=backup_id))
            assert differences(made.copies[backup_id], target) == []
            shutil.rmtree(target)
        for fed in made.to_tar.fed:
            for begin, found in members_of(fed).items():
                made.members.setdefault(begin, []).extend(found)
        yield made


def assert_refused_or_as_it_was(chains, choose, folder, said):
    """One restore and one proof; whether each was refused."""
    target = folder / "target"
    *ids, newest, _other = chains.copies
    wanted = choose.choice([None, newest, *ids])
    # The host that has made them, or one that knows nothing but whom to believe.
    is_stranger = choose.random() < 0.5
    os.environ["FREEZER_BACKUP_STATE"] = str(folder / "stranger" if is_stranger else chains.state.folder)
    chains.to_tar.fed.clear()
    with no_hang(_MOST_SECONDS):
        result, problem = attempt(agent.restore, chains.action(restore_abs_path=str(target), backup_id=wanted))
    assert all(is_made_of(fed, chains.members) for fed in chains.to_tar.fed), said
    if problem is None:
        assert wanted in (None, result["backup_id"]), said
        assert differences(chains.copies[result["backup_id"]], target) == [], said
        # Who puts an earlier state back does not do so unnoticed by the host that writes.
        assert is_stranger or wanted or result["backup_id"] == newest or result["remarks"], said
        shutil.rmtree(target)
    else:
        assert not target.exists(), said
        assert str(problem)[-1] == ".", (said, str(problem))
    check = choose.choice(["segments", "stream", "restore"])
    with no_hang(_MOST_SECONDS):
        proof, refused = attempt(agent.verify, chains.action(backup_id=wanted, check=check))
    assert all(is_made_of(fed, chains.members) for fed in chains.to_tar.fed), said
    if refused is None:
        assert proof["outcome"] == "success", said
        if check != "segments":
            assert problem is None, (said, str(problem))
    else:
        assert str(refused)[-1] == ".", (said, str(refused))
    return problem is not None, refused is not None


def test_what_is_changed_by_who_has_no_key_is_refused_or_no_loss_and_tar_gets_what_was_signed(chains, tmp_path):
    chosen = random.Random(f"{chains.kind} {rounds(0)}")
    outcomes = []
    begun = peak_kib(begin=True)
    try:
        for number in range(ROUNDS):
            choose = random.Random(chosen.random())
            state, said = mutations.mutated(chains.whole, choose, chains.earlier)
            mutations.write(chains.some.container, state)
            said = f"{chains.kind} {number}: {said}"
            outcomes.append(assert_refused_or_as_it_was(chains, choose, tmp_path, said))
            assert set(os.listdir(tmp_path)) <= {"stranger"}, said
    finally:
        mutations.write(chains.some.container, chains.whole)
    print(f"{len(outcomes)} changes of {chains.kind}: {sum(one for one, _other in outcomes)} restores refused")
    assert {True, False} == {one for one, _other in outcomes}
    assert peak_kib() - begun < _MOST_GROWTH_KIB


def assert_ends_well(chains, choose, folder, said):
    """Whatever it restores, who believes all that is there gets it into the target, or is told why not."""
    target = folder / "target"
    os.environ["FREEZER_BACKUP_STATE"] = str(folder / "stranger")
    check = choose.choice(["stream", "restore"])
    action = {key: value for key, value in chains.action().items() if key != "trusted_signers"}
    with no_hang(_MOST_SECONDS):
        result, problem = attempt(agent.restore, {**action, "restore_abs_path": str(target)})
    with no_hang(_MOST_SECONDS):
        _proof, refused = attempt(agent.verify, {**action, "check": check})
    for one in (problem, refused):
        assert one is None or str(one)[-1] == ".", (said, str(one))
    if result is None:
        assert not target.exists(), said
    else:
        shutil.rmtree(target)
    return problem is not None, refused is not None


@pytest.fixture
def outside(tmp_path):
    """What nothing may get into."""
    folder = tmp_path / "outside"
    write_file(folder / "file", b"outside")
    yield folder
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("file", b"outside")]
    assert set(os.listdir(tmp_path)) <= {"stranger", "outside"}


@pytest.mark.parametrize("chains", ["none"], indirect=True)
def test_parts_that_are_forged_with_every_hash_right_end_in_a_sentence_or_in_the_target(chains, tmp_path, outside):
    chosen = random.Random(f"forged {rounds(0)}")
    outcomes = []
    begun = peak_kib(begin=True)
    folders = sorted(name for name in chains.some.backup_folders())[-2:]
    try:
        for number in range(ROUNDS):
            choose = random.Random(chosen.random())
            lower, upper = (chains.some.set_folder / name for name in folders)
            forgery = Forgery(choose.choice([lower, upper]))
            said = f"{number}: {forge_something(forgery, choose)} of {forgery.folder.name}"
            forgery.store()
            if forgery.folder == lower:
                Forgery(upper).store(lower)
            outcomes.append(assert_ends_well(chains, choose, tmp_path, said))
            mutations.write(chains.some.container, chains.whole)
    finally:
        mutations.write(chains.some.container, chains.whole)
    print(f"{len(outcomes)} forgeries: {sum(one for one, _other in outcomes)} restores refused")
    assert {True, False} == {one for one, _other in outcomes}
    assert peak_kib() - begun < _MOST_GROWTH_KIB


@pytest.mark.parametrize("chains", ["age"], indirect=True)
def test_sealed_objects_that_are_changed_with_every_hash_right_give_tar_nothing_that_was_not_sealed(chains, tmp_path):
    chosen = random.Random(f"sealed {rounds(0)}")
    outcomes = []
    newest, below = mutations.backups(chains.whole)[-1], mutations.backups(chains.whole)[-2]
    try:
        for number in range(ROUNDS):
            choose = random.Random(chosen.random())
            state, said = mutations.changed_and_fitting(chains.whole, choose, below, newest)
            mutations.write(chains.some.container, state)
            chains.to_tar.fed.clear()
            outcomes.append(assert_ends_well(chains, choose, tmp_path, f"{number}: {said}"))
            assert all(is_made_of(fed, chains.members) for fed in chains.to_tar.fed), said
    finally:
        mutations.write(chains.some.container, chains.whole)
    print(f"{len(outcomes)} changes of sealed objects: {sum(one for one, _other in outcomes)} restores refused")
    assert {True, False} == {one for one, _other in outcomes}
