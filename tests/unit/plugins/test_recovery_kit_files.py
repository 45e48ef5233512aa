# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a recovery kit: how they are kept on the controller, and what of a host is not believed."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from support.key_files import AgeKey, SigningKey

from ansible_collections.freezer.backup.plugins.module_utils._engine.errors import FreezerError
from ansible_collections.freezer.backup.plugins.plugin_utils.recovery_kit import KitFiles, KitFolder

FORM = b"age-encryption.org/v1\n-> X25519 and so on"


@pytest.fixture
def given(tmp_path) -> dict[str, Any]:
    """What a host gives of one set."""
    pair = {"key_id": "0" * 32, "public": AgeKey(tmp_path, "age").public, "forms": {"passphrase.age": text(FORM)}}
    one = {"hostname": "web1", "backup_name": "etc", "storage": "local", "container": "/srv/backups", "keys": [pair]}
    return {"sets": [one], "signers": [f"web1 {SigningKey(tmp_path, 'ssh').public.line}"]}


def text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_kit_is_written_once_and_again_where_others_could_read_it(given, tmp_path):
    content, folder = KitFiles("web1", given).content, KitFolder(str(tmp_path / "kits"), "web1")
    assert folder.differing(content) == [".", *sorted(content)]
    folder.write(content, folder.differing(content))
    assert folder.differing(content) == []
    assert folder.read(list(content)) == content
    kept = Path(folder.path) / "keys/web1_etc" / ("0" * 32) / "passphrase.age"
    kept.chmod(0o644)
    assert folder.differing(content) == [f"keys/web1_etc/{'0' * 32}/passphrase.age"]
    folder.write(content, folder.differing(content))
    assert kept.stat().st_mode & 0o777 == 0o600
    Path(folder.path).chmod(0o755)
    folder.write(content, folder.differing(content))
    assert Path(folder.path).stat().st_mode & 0o777 == 0o700


def test_no_link_is_followed_out_of_a_kit(given, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    content, folder = KitFiles("web1", given).content, KitFolder(str(tmp_path / "kits"), "web1")
    os.makedirs(folder.path)
    os.symlink(elsewhere, os.path.join(folder.path, "keys"))
    with pytest.raises(FreezerError, match="is no folder of the user who runs this"):
        folder.write(content, folder.differing(content))
    assert not list(elsewhere.iterdir())


def test_keys_of_an_earlier_kit_stay(given, tmp_path):
    folder = KitFolder(str(tmp_path / "kits"), "web1")
    before = KitFiles("web1", given).content
    folder.write(before, folder.differing(before))
    given["sets"][0]["keys"][0]["key_id"] = "1" * 32
    after = KitFiles("web1", given).content
    folder.write(after, folder.differing(after))
    assert folder.read(list(before))[f"keys/web1_etc/{'0' * 32}/passphrase.age"] == FORM


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.update(hostname="../../etc"), "cannot name a folder"),
        (lambda one: one["keys"][0].update(key_id="../" * 10), "which can be none"),
        (lambda one: one["keys"][0].update(forms={"passphrase.age": "no base64"}), "not in base64"),
        (lambda one: one["keys"][0].update(forms={"passphrase.age": text(b"AGE-SECRET-KEY-1")}), "no file of age"),
        (lambda one: one["keys"][0].update(forms={"passphrase.age": text(b"x" * (1 << 20))}), "no file of age"),
    ],
)
def test_what_a_host_gives_is_not_believed(given, change, said):
    change(given["sets"][0])
    with pytest.raises(FreezerError, match=said):
        KitFiles("web1", given)


def test_names_of_other_files_and_words_for_a_terminal_are_left_out(given):
    pair = given["sets"][0]["keys"][0]
    pair["forms"]["../../../etc/passwd"], pair["public"] = text(FORM), "age1\x1b[2J"
    given["sets"][0]["container"] = "/srv/\x1b[2J\nbackups"
    files = KitFiles("web1", given)
    assert sorted(files.content) == ["allowed_signers", f"keys/web1_etc/{'0' * 32}/passphrase.age", "kit.txt"]
    assert b"\x1b" not in files.content["kit.txt"]


@pytest.mark.parametrize("host", ["../up", "a/b", ".hidden", ""])
def test_a_host_whose_name_leads_elsewhere_has_no_kit(given, host):
    with pytest.raises(FreezerError, match="cannot name a folder"):
        KitFiles(host, given)


def test_two_storages_with_different_secret_halves_are_named(given):
    other = {**given["sets"][0], "container": "/mnt/nas"}
    other["keys"] = [{**other["keys"][0], "forms": {"passphrase.age": text(FORM + b".")}}]
    given["sets"].append(other)
    files = KitFiles("web1", given)
    assert "local storage /mnt/nas is not that of the storage before it" in files.problems[0]
