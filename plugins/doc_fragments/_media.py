# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a freezer_action that name a server or a volume of a cloud in place of files."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backup_media:
    description:
      - What is backed up. It follows from the option that names it, and has to agree with that.
    type: str
    choices: [fs, nova, cinder, cindernative]
  cinder_vol_id:
    description:
      - The id of a volume. Its bytes are stored in Swift as an image, by way of a snapshot, a volume of that and an image
        of that, all of which are removed in the end.
    type: str
    aliases: [cinder_inst_id]
  cinder_vol_name:
    description:
      - The same by the volume's name, which only one volume of the project may have.
    type: str
  cindernative_backup_container:
    description:
      - The container that Cinder puts its backup into. Without it Cinder's own.
    type: str
  cindernative_backup_id:
    description:
      - The backup of Cinder to restore or verify, also one that somebody else has made of the volume. The same as
        O(backup_id).
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself is to back up into its backup store. O(storage) and O(container) are not
        needed.
      - With O(max_level) there are so many increments after each full backup. Cinder builds an increment on the volume's
        newest backup; where that is not one of O(backup_name) the backup is full, and says why.
    type: str
  cloud_timeout_seconds:
    description:
      - How long to wait for each thing that the cloud does. Without it six hours; images of large volumes take their time.
    type: float
  nova_inst_id:
    description:
      - The id of a server. The image that Nova makes of it is stored in Swift; of a server that boots from a volume it is
        an image of each of its volumes.
      - Volumes that are attached to a server with a disk of its own are not part of it.
      - The cloud is the one that O(cloud), O(osrc) or the environment names.
    type: str
  nova_inst_name:
    description:
      - The same by the server's name, which only one server of the project may have.
    type: str
  nova_restore_network:
    description:
      - The id of the network that a restored server gets. Without it those that the server had.
    type: str
  restore_as:
    description:
      - What the new server or volume is called that a restore makes. Without it C(<name>~<timestamp>).
    type: str
"""
