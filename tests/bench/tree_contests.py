# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Backup, restore and verification of a tree, against GNU tar and zstd doing the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dataset
from contest import Contest, Side

from ansible_collections.freezer.backup.plugins.module_utils._engine.archive.tree_comparison import differences
from ansible_collections.freezer.backup.plugins.module_utils._engine.sealing.identities import X25519Identity

ENGINE_CALL = Path(__file__).resolve().parent / "ours.py"


class WrongResult(Exception):
    """A side was quick and did not do its work."""


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _shell(script: str) -> list[str]:
    return ["/bin/sh", "-ec", script]


class TreeContests:
    """The contests over one tree, a copy of the one that `source` makes.

    They build on each other: what level 0 wrote is restored, verified and continued. One that is run alone makes what
    it needs.
    """

    def __init__(self, work: Path, source: Callable[[], Path]) -> None:
        self.tree = work / "tree"
        self.changes: dict[str, int] = {}
        self._work, self._source = work, source
        self._ours, self._ours_restored = work / "ours", work / "ours-restored"
        self._peer, self._peer_restored = work / "peer", work / "peer-restored"
        self._archive, self._snar = self._peer / "level0.tar.zst", self._peer / "level0.snar"
        self._identity = X25519Identity.generate()
        self._identity_file = work / "identity"

    def level_0(self) -> Contest:
        """A full backup, sealed for a key pair, and signed."""
        return Contest(
            name="level_0",
            title="backup, level 0",
            peer_title="tar | zstd -3 -T2",
            goal="speed 0.95, CPU 0.95, memory 96 MiB",
            ours=Side(self._backup(), lambda: _fresh(self._ours), lambda: self._stored(0)),
            peer=Side(_shell(self._pipe()), stored=lambda: self._archive.stat().st_size),
            before=self._need_tree,
        )

    def restore(self) -> Contest:
        """Level 0 into a folder that is not there yet."""
        return Contest(
            name="restore",
            title="restore, level 0",
            peer_title="zstd -dc | tar -x",
            goal="speed 1.0, memory 128 MiB",
            ours=Side(
                self._reading("restore", restore_abs_path=str(self._ours_restored)),
                lambda: shutil.rmtree(self._ours_restored, ignore_errors=True),
            ),
            peer=Side(
                _shell(f"zstd -q -dc {self._archive} | tar -C {self._peer_restored} -xf -"),
                lambda: _fresh(self._peer_restored),
            ),
            before=self._need_level_0,
            check=self._check_restored,
        )

    def verify(self) -> Contest:
        """Level 0 read through, nothing written. The peer has no hashes to compare, only zstd's checksum."""
        return Contest(
            name="verify",
            title="verify, level 0",
            peer_title="zstd -dc | tar -t",
            goal="speed 0.9",
            ours=Side(self._reading("verify", check="stream")),
            peer=Side(_shell(f"zstd -q -dc {self._archive} | tar -tf - > /dev/null")),
            before=self._need_level_0,
        )

    def listed(self) -> Contest:
        """The names of all that is in a level 0."""
        return Contest(
            name="list",
            title="list, level 0, tiny files",
            peer_title="zstd -dc | tar -t",
            goal="memory 128 MiB",
            ours=Side(self._reading("list")),
            peer=Side(_shell(f"zstd -q -dc {self._archive} | tar -tf - > /dev/null")),
            before=self._need_level_0,
        )

    def level_1_unchanged(self) -> Contest:
        """An increment of nothing: what is left are the fixed costs and the look at every file."""
        goal = "0.35 CPU seconds beyond the peer"
        return self._level_1(
            "level_1_unchanged", "backup, level 1, unchanged", self._need_level_0, goal, compressed=False
        )

    def level_1_changed(self) -> Contest:
        """An increment after 1 % of the files changed, and a part of a big one."""
        return self._level_1("level_1_changed", "backup, level 1, 1 % changed", self._change, "", compressed=True)

    def tiny_unchanged(self) -> Contest:
        """An increment of nothing over very many files, against tar's look at them alone."""
        goal = "speed 0.71"
        return self._level_1(
            "tiny_unchanged", "backup, level 1, tiny files", self._need_level_0, goal, compressed=False
        )

    def _level_1(self, name: str, title: str, before: Callable[[], None], goal: str, compressed: bool) -> Contest:
        archive, snar = self._peer / "level1.tar", self._peer / "level1.snar"
        written = f"-cf - . | zstd -q -3 -T2 > {archive}" if compressed else f"-cf {archive} ."
        return Contest(
            name=name,
            title=title,
            peer_title="tar -g | zstd -3 -T2" if compressed else "tar -g alone",
            goal=goal,
            ours=Side(self._backup(), self._forget_level_1, lambda: self._stored(1)),
            peer=Side(
                _shell(f"cp {self._snar} {snar}; tar -C {self.tree} -g {snar} {written}"),
                stored=lambda: archive.stat().st_size + snar.stat().st_size,
            ),
            before=before,
        )

    def _engine(self, verb: str, **action: Any) -> list[str]:
        place = {"storage": "local", "container": str(self._ours), "hostname": "bench", "backup_name": "tree"}
        return [sys.executable, str(ENGINE_CALL), verb, json.dumps({**place, **action})]

    def _backup(self) -> list[str]:
        # Level 0 where there is none, then level 1 again and again, always on that level 0. Each level 0 is the first one of a
        # container that was emptied, which a host takes without `init` once only.
        options = {"always_level": "1", "compression": "zstd", "init": "true"}
        sealed = {"encryption_recipients": [str(self._identity.recipient)]}
        return self._engine("backup", path_to_backup=str(self.tree), **options, **sealed)

    def _reading(self, verb: str, **action: Any) -> list[str]:
        return self._engine(verb, identity_file=str(self._identity_file), **action)

    def _pipe(self) -> str:
        return f"tar -C {self.tree} -cf - . | zstd -q -3 -T2 > {self._archive}"

    def _levels(self, level: int) -> list[Path]:
        return list(self._ours.glob(f"*/*_{level}"))

    def _stored(self, level: int) -> int:
        folders = self._levels(level)
        if len(folders) != 1:
            raise WrongResult(f"There are {len(folders)} backups of level {level}, and there should be one.")
        return _folder_bytes(folders[0])

    def _forget_level_1(self) -> None:
        for folder in self._levels(1):
            shutil.rmtree(folder)

    def _need_tree(self) -> None:
        if not self.tree.exists():
            _fresh(self._work)
            subprocess.run(["cp", "-a", "--", self._source(), self.tree], check=True)
            self._peer.mkdir()
            self._identity_file.write_text(f"{self._identity.reveal()}\n")
            self._identity_file.chmod(0o600)

    def _need_level_0(self) -> None:
        self._need_tree()
        if not self._levels(0):
            subprocess.run(self._backup(), check=True, stdout=subprocess.DEVNULL)
        if not self._archive.exists():
            subprocess.run(_shell(self._pipe()), check=True)
        if not self._snar.exists():
            # To /dev/null GNU tar writes the state of a level 0 without reading any file.
            subprocess.run(_shell(f"tar -C {self.tree} -g {self._snar} -cf /dev/null ."), check=True)

    def _change(self) -> None:
        self._need_level_0()
        self.changes = dataset.mutate(self.tree)

    def _check_restored(self) -> None:
        for restored in (self._ours_restored, self._peer_restored):
            found = differences(str(self.tree), str(restored), owner=os.geteuid() == 0)
            if found:
                raise WrongResult(f"{restored} is not what was backed up: {found[0]}")
            shutil.rmtree(restored)
