# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: program_archive
short_description: An archive of a role's programs and the engine below them
description:
  - Packs the files of a role of this collection, and the engine that its programs import, into an archive in the layout
    C(ansible_collections/freezer/backup/...), so that a role can unpack it on a host and start them there.
  - The archive lies in the temporary folder of Ansible on the controller and goes away with it.
version_added: 1.0.0
author:
  - The freezer.backup authors (@freezer-backup)
options:
  _terms:
    description: The names of the roles, such as V(api).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Copy a release of the API to a host
  ansible.builtin.unarchive:
    src: "{{ release.path }}"
    dest: "/opt/freezer-api/releases/{{ release.digest }}"
    mode: u=rwX,go=rX
  vars:
    release: "{{ lookup('freezer.backup.program_archive', 'api') }}"
"""

RETURN = r"""
_list:
  description: An archive for every role.
  type: list
  elements: dict
  contains:
    path:
      description: Where the archive lies on the controller.
      type: path
    digest:
      description: SHA-256 over the names and the contents of all files; the same files always have the same one.
      type: str
"""

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

_COLLECTION = Path(__file__).resolve().parents[2]
_ENGINE = Path("plugins/module_utils/_engine")
#: One moment for all files, so that the archive says nothing about when or where it was made.
_MTIME = 1_577_836_800


class LookupModule(LookupBase):
    """Archives of programs, by the names of their roles."""

    def run(self, terms: list[str], variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        """Make the archives; one that exists is left as it is."""
        self.set_options(var_options=variables, direct=kwargs)
        return [_archive(role) for role in terms]


def _archive(role: str) -> dict[str, str]:
    programs = Path("roles", role, "files")
    if not (_COLLECTION / programs).is_dir():
        raise AnsibleLookupError(f"freezer.backup has no role {role} with programs in its folder files.")
    names = [_ENGINE.parent / "__init__.py", *_files(_ENGINE), *_files(programs)]
    contents = {name.as_posix(): (_COLLECTION / name).read_bytes() for name in sorted(names)}
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)

    path = Path(constants.DEFAULT_LOCAL_TMP) / f"freezer-{role}-{digest.hexdigest()}.tar.gz"
    if not path.exists():
        # Forks work on the same folder: none may see a half of it.
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(_packed(contents))
        part.rename(path)
    return {"path": str(path), "digest": digest.hexdigest()}


def _files(folder: Path) -> list[Path]:
    names = (path.relative_to(_COLLECTION) for path in (_COLLECTION / folder).rglob("*") if path.is_file())
    return [name for name in names if not any(part.startswith((".", "__pycache__")) for part in name.parts)]


def _packed(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as compressed:
        with tarfile.open(fileobj=compressed, mode="w") as archive:
            for name, content in contents.items():
                entry = tarfile.TarInfo(f"ansible_collections/freezer/backup/{name}")
                entry.size = len(content)
                entry.mtime = _MTIME
                entry.mode = 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
