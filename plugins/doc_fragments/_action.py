# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a freezer_action as options of modules: what all verbs take, and what one of them takes besides.

Written by tools/fragments.py from the table in module_utils/_engine/action.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  backup_media:
    description:
      - The medium. It follows from the option that names the server or the volume, and has to agree with it.
    type: str
    choices: [fs, nova, cinder, cindernative]
  backup_name:
    description:
      - The name of the backups of the same data.
      - The default for a server or a volume is C(freezer_<medium>_<id>); without a name, restore and verify take the
        newest backup of any name.
    type: str
  cinder_vol_id:
    description:
      - The id of a volume, an image of which is kept in Swift.
      - Snapshot, temporary volume and temporary image are removed at the end.
    type: str
    aliases: [cinder_inst_id]
  cinder_vol_name:
    description:
      - The name of the volume, which has to be unique in the project.
    type: str
  cloud:
    description:
      - The name of a cloud in a C(clouds.yaml) of the host, for O(storage=swift), servers and volumes.
      - The default is E(OS_CLOUD), or E(OS_AUTH_URL) and the variables that belong to it, if O(osrc) is not given.
      - It needs the Python library openstacksdk on the host. For O(osrc) and E(OS_AUTH_URL) keystoneauth1 is enough.
    type: str
  container:
    description:
      - 'The container of the backups: for O(storage=local) the path of a folder, for O(storage=swift) the name of a
        container.'
      - The default is V(freezer_backups) for V(swift).
      - In documents and modules the path has to be absolute.
      - 'Both are made if they are missing: a folder with mode 0700, a container together with C(<container>_segments).'
      - Required for O(storage=local). The default for O(storage=swift) is that of Freezer's agents; other names are
        used as given. Images of servers and volumes need O(storage=swift).
    type: str
  dry_run:
    description:
      - Return what would be done, and change nothing.
      - It is the same as check mode of Ansible.
    type: bool
    default: false
  hostname:
    description:
      - The host of the backup.
      - The default is the name of the host that runs it.
    type: str
    aliases: [restore_from_host]
  init:
    description:
      - Accept the container as it is, and make a missing folder with its parents.
      - Without it the parent folder has to exist. The first backup writes a marker with an id into a container, and the
        host remembers it. Later the host refuses the container if it is missing, has lost its marker or has another id,
        because a storage that is not mounted looks like that. With this option the host uses it, and remembers the new
        id.
    type: bool
    default: false
  insecure:
    description:
      - Do not verify the certificates of the cloud, with a warning.
    type: bool
    default: false
  log_file:
    description:
      - Append a log to this file.
      - 'The module accepts it, because documents have it, and writes no log: it reports through Ansible.'
    type: str
  max_priority:
    description:
      - Run with the highest CPU priority and the real-time disk priority.
      - A priority that is refused is a warning.
    type: bool
    default: false
    aliases: [max_cpu_priority]
  nova_inst_id:
    description:
      - The id of a server, an image of which is kept in Swift.
      - For a server that boots from a volume, an image of each of its volumes is kept. Volumes that are attached to a
        server with a disk of its own are not backed up.
      - The cloud is the one that O(cloud), O(osrc) or the environment names.
    type: str
  nova_inst_name:
    description:
      - The name of the server, which has to be unique in the project.
    type: str
  osrc:
    description:
      - The path of an openrc file on the host with the credentials of a cloud, for O(storage=swift), servers and
        volumes.
      - Its lines are read, not run. It cannot be combined with O(cloud).
      - In documents and modules the path has to be absolute.
    type: path
  proxy:
    description:
      - Send requests to the cloud through this HTTP proxy, such as C(http://proxy.example.org:3128), or through none
        with V(none).
      - The default is that of E(https_proxy), E(http_proxy) and E(no_proxy).
    type: str
  storage:
    description:
      - 'Where backups are kept: V(local) is a folder of the host, V(swift) the object store of an OpenStack cloud.'
      - If no storage is named, it is V(swift) if O(cloud), O(osrc) or the environment (E(OS_CLOUD), or E(OS_AUTH_URL)
        and the variables that belong to it, or E(OS_CLIENT_CONFIG_FILE)) names a cloud, else an error. The result has
        the choice in RV(ignore:chosen).
    type: str
    choices: [local, swift]
  timeout:
    description:
      - The longest time for an answer of the cloud, in seconds.
      - The default is 30.
    type: float
"""

    BACKUP = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff),
        V(mount), V(admin), V(key) or V(exec).'
      - V(info) lists backups, V(list) what is in one of them, V(find) where O(freezer.backup.restore#module:include)
        matches in all of them, V(history) one path in each of them, and V(diff) what changed between two, or a backup
        and a folder. V(mount) shows one as a file system until it is unmounted.
      - The module accepts the action that it carries out, because documents have it.
    type: str
    choices: [backup]
  allow_keys_in_source:
    description:
      - Back up also if O(encrypt_pass_file) or O(signing_key) lies in what is backed up.
      - A key that is only in the backup that it opens is lost, and one in a backup that is not encrypted is everyone's.
    type: bool
    default: false
  always_level:
    description:
      - Once this level is reached, every backup has it, each on the newest backup of the level below.
      - The value V(1) makes differential backups.
    type: int
    aliases: [always_backup_level]
  block_level_size:
    description:
      - The size from which on an increment has only the blocks of a file that differ (1 MiB each), in bytes or with a
        suffix K, M or G.
    type: str
    default: 64M
  cindernative_backup_container:
    description:
      - The container that Cinder puts its backup into.
      - The default is that of Cinder.
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(max_level) so many increments follow each full backup. Cinder builds an increment on the volume's newest
        backup; if that has another name than O(backup_name), the backup is full, and the result gives the reason.
    type: str
  cloud_timeout_seconds:
    description:
      - The longest wait for each operation of the cloud.
    type: float
    default: 21600
  compression:
    description:
      - How new backups are compressed.
      - The default is V(zstd), or V(gzip) where the host has neither Python's C(zstandard) nor the program C(zstd).
      - V(compatible) is V(gzip), which the oldest tools read. V(zlib) is V(gzip), and V(lzma) is V(xz). V(bzip2) and
        V(xz) take many times the time of V(zstd), and a Python that was built with C(bz2) or C(lzma).
    type: str
    choices: [zstd, gzip, bzip2, xz, none, compatible, zlib, lzma]
  compression_level:
    description:
      - 'The level of O(compression), 1 to 19 for V(zstd) (default: 3), 1 to 9 for V(gzip) (default: 6), 1 to 9 for
        V(bzip2) (default: 9), 1 to 9 for V(xz) (default: 6).'
    type: int
  deadline_seconds:
    description:
      - The application of O(mode) is released after this time in any case; the backup fails in that case.
      - It is above 0 and at most 86400.
    type: float
    default: 60
  dereference_symlink:
    description:
      - Store what symbolic links point to (V(soft)), every hard link as a file of its own (V(hard)), both (V(all)) or
        neither (V(none)).
    type: str
    choices: [none, soft, hard, all]
    default: none
  encrypt_pass_file:
    description:
      - The file whose first line is the passphrase of encrypted backups, also of those by the agent of OpenStack's
        Freezer.
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  encryption:
    description:
      - 'How new backups are encrypted: V(age) as files of C(age) for a key pair of the set, V(aes-256-cfb) as files of
        C(openssl enc).'
      - The default is V(age) with O(encrypt_pass_file) or O(encryption_recipients), else V(none).
      - V(aes-256-cfb) needs the passphrase of O(encrypt_pass_file) for each backup. With V(age) the host keeps the
        public half of the pair, and the container has the secret half, encrypted for the passphrase and for
        O(encryption_recipients).
      - It needs the Python library C(cryptography).
    type: str
    choices: [age, aes-256-cfb, none]
  encryption_recipients:
    description:
      - 'Public keys whose owners can open the backups: C(age1...) of C(age-keygen), or a line C(ssh-ed25519 ...) or
        C(ssh-rsa ...).'
      - They count when the key pair of a set is made, with its first encrypted backup; later C(freezer-agent --action
        key) changes who can open it.
    type: list
    elements: str
  engine_name:
    description:
      - The engine of the archive.
      - 'V(rsync), of Freezer''s documents, is the same as V(tar): both keep blocks of large files, see
        O(block_level_size).'
      - Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, rsync, nova]
    default: tar
    aliases: [engine]
  exclude:
    description:
      - Leave out paths that match this pattern, in the form of GNU tar's C(--exclude).
      - A restore, and a list of what is in a backup, leave out what matches.
    type: list
    elements: str
  incremental:
    description:
      - The value V(false) is the same as O(no_incremental=true).
    type: bool
    default: true
  lvm_auto_snap:
    description:
      - The same as O(snapshot=lvm), for the volume of this path, as Freezer's older documents have it.
      - The path has to be on the volume that O(path_to_backup) is on; V(true) is the same as O(snapshot=lvm) alone.
    type: str
  lvm_dirmount:
    description:
      - The mount point of the snapshot; it has to be empty.
      - The default is a folder of its own below C(/run/freezer-backup).
      - With O(lvm_srcvol), O(path_to_backup) can be the path that the data has in the mounted snapshot.
      - In documents and modules the path has to be absolute.
    type: path
  lvm_snapname:
    description:
      - The name of the snapshot.
      - The default is C(freezer_backup_snap_) and a code.
    type: str
  lvm_snapperm:
    description:
      - Whether the snapshot can only be read (V(ro)), or also be written to (V(rw)).
    type: str
    choices: [ro, rw]
    default: ro
    aliases: [lvm_snap_perm]
  lvm_snapsize:
    description:
      - The space of a classic snapshot for blocks that are overwritten while it is read, such as V(2G), V(20%ORIGIN) or
        V(50%FREE).
      - The default is 1G.
      - A backup whose snapshot runs out of space fails. A thin volume has thin snapshots, which take what they need of
        the pool.
    type: str
  lvm_srcvol:
    description:
      - The volume to take the snapshot of, as C(group/volume) or by its path; it asks for a snapshot without
        O(snapshot).
      - The default is the one that the path is on.
      - It follows from O(path_to_backup); if it is given, it has to agree.
    type: str
  lvm_volgroup:
    description:
      - The group of the volume.
      - The default is that of the path's volume.
      - It follows from O(path_to_backup); if it is given, it has to agree.
    type: str
  max_level:
    description:
      - 'The highest level: so many increments follow a full backup, and the next one is full again.'
      - Without O(max_level), O(always_level) and O(restart_always_level) every backup is full.
    type: int
    aliases: [max_backup_level]
  max_segment_size:
    description:
      - The size of a stored segment in bytes, or with a suffix K, M or G (powers of 1024); at least V(64K).
    type: str
    default: 64M
    aliases: [max_seg_size]
  min_age:
    description:
      - Make no backup if the newest one in every storage is younger than this many seconds.
      - With M(freezer.backup.prune), keep leftovers of killed runs that are younger than this.
    type: float
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(snapshot=lvm), and O(path_to_backup) has to
        have all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, nova, cinder, cindernative, mongo]
    default: fs
  mongodb_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mongodb).
      - It may have C(host), C(port), C(user), C(password) and C(database). Without it the server of the host is asked
        without a password.
      - In documents and modules the path has to be absolute.
    type: path
  mysql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mysql), also MySQL's own option files.
      - It may have C(host), C(port), C(user), C(password) and C(socket). Without it the user who runs the backup logs
        in through the socket.
      - In documents and modules the path has to be absolute.
    type: path
  no_incremental:
    description:
      - Make a full backup, whatever the options of levels are.
    type: bool
    default: false
  one_file_system:
    description:
      - Leave out other file systems that are mounted below the path.
      - The default is V(false), and V(true) with a snapshot.
      - With V(false) they are backed up as well, unless a snapshot is read, which has one file system. Virtual file
        systems are always left out, such as C(/proc), C(/sys) and C(devtmpfs).
      - File systems that are left out are listed in RV(ignore:left_out) and RV(ignore:reason) of the result. That is no
        failure.
    type: bool
  path_to_backup:
    description:
      - The folder or the file to back up.
      - In documents and modules the path has to be absolute.
    type: path
    aliases: [src_file, file_to_backup]
  postgresql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=postgresql).
      - It may have C(host), C(port), C(user), C(password), C(database), C(socket), and C(os_user), the user of the
        system that logs in. Without C(host) that is C(postgres), if root runs the backup.
      - In documents and modules the path has to be absolute.
    type: path
  restart_always_level:
    description:
      - Make a full backup so many days after the last full one.
    type: float
    aliases: [restart_always_backup]
  signing_key:
    description:
      - The private key of SSH (C(ssh-ed25519)) that new backups are signed with, or V(none).
      - The default is a key that is made in the state folder of the host, C(/var/lib/freezer-backup/signing_key).
      - The path has to be absolute. C(ssh-keygen -Y verify) checks the signatures, with the namespace
        C(freezer-backup).
      - With V(none), and where C(cryptography) is not installed, a passphrase stands in for the key if there is one. It
        always does with O(encryption=aes-256-cfb).
    type: str
  snapshot:
    description:
      - Read a snapshot of the LVM volume that the path is on, and remove it afterwards.
      - All files are then of one point in time. In documents and modules the value is V(lvm), or V(true) as Freezer has
        it.
      - Needs root and lvm2 on the host, and free extents in the volume group or space in the thin pool.
    type: str
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) reads from the first storage that has the backup. Without
        O(freezer.backup.restore#module:backup_id) it fails if one of them cannot be read or is damaged, because that
        one may have a newer backup.
      - M(freezer.backup.verify) fails if one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - As O(storage), for this storage alone.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - As O(container), for this storage alone.
        type: str
        required: true
      cloud:
        description:
          - As O(cloud), for this storage alone.
        type: str
      osrc:
        description:
          - As O(osrc), for this storage alone.
        type: path
  sync:
    description:
      - Write the buffers of the host's file systems to disk before a backup begins.
    type: bool
    default: false
"""

    RESTORE = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff),
        V(mount), V(admin), V(key) or V(exec).'
      - V(info) lists backups, V(list) what is in one of them, V(find) where O(include) matches in all of them,
        V(history) one path in each of them, and V(diff) what changed between two, or a backup and a folder. V(mount)
        shows one as a file system until it is unmounted.
      - The module accepts the action that it carries out, because documents have it.
    type: str
    choices: [restore]
  backup_id:
    description:
      - The backup with this id, or the only one whose id begins with these digits (4 or more).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  cindernative_backup_id:
    description:
      - The backup of Cinder to restore or verify, also one of another program; the same as O(backup_id).
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(freezer.backup.backup#module:max_level) so many increments follow each full backup. Cinder builds an
        increment on the volume's newest backup; if that has another name than O(backup_name), the backup is full, and
        the result gives the reason.
    type: str
  cloud_timeout_seconds:
    description:
      - The longest wait for each operation of the cloud.
    type: float
    default: 21600
  delete:
    description:
      - Remove from the folder what the backup does not have.
      - 'With O(include) and O(exclude) only what they select. What the backup left out stays: what its O(exclude)
        matches, what it could not read, other file systems, sockets and containers of backups.'
    type: bool
    default: false
  encrypt_pass_file:
    description:
      - The file whose first line is the passphrase of encrypted backups, also of those by the agent of OpenStack's
        Freezer.
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  engine_name:
    description:
      - The engine of the archive.
      - 'V(rsync), of Freezer''s documents, is the same as V(tar): both keep blocks of large files, see
        O(freezer.backup.backup#module:block_level_size).'
      - Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, rsync, nova]
    default: tar
    aliases: [engine]
  exclude:
    description:
      - Leave out paths that match this pattern, in the form of GNU tar's C(--exclude).
      - A restore, and a list of what is in a backup, leave out what matches.
    type: list
    elements: str
  identity_file:
    description:
      - 'The file with a secret key that opens encrypted backups: one of C(age-keygen), or a private key of SSH.'
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  include:
    description:
      - Restore, list or find only what matches this pattern, with all that is below it.
      - 'A pattern is one of O(exclude): C(*.conf) and C(etc/ssh) match at any depth, C(./etc) only at the top of what
        was backed up. A path from the root of the host that was backed up, such as C(/etc/ssh), is one inside the
        backup.'
      - For a restore, folders above it are made where they are missing, and stay as they are where they exist. If
        nothing matches, nothing is restored, and that is an error.
      - Backups of earlier releases and of OpenStack's Freezer are restored as a whole only.
    type: list
    elements: str
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(freezer.backup.backup#module:snapshot=lvm),
        and O(freezer.backup.backup#module:path_to_backup) has to have all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, nova, cinder, cindernative, mongo]
    default: fs
  nova_restore_network:
    description:
      - The id of the network for a restored server.
      - The default is the former networks of the server.
    type: str
  only_changed:
    description:
      - Restore only paths whose kind, size, time, mode, owner or target is another one than in the backup.
      - 'The other files are not read, neither in the backup nor in the folder: their contents and extended attributes
        are taken to be the same. Hard links are compared by their contents.'
      - It needs O(overwrite=true) where the folder is not empty.
    type: bool
    default: false
  overwrite:
    description:
      - Restore into a folder that is not empty.
      - Files of the backup replace files of the same name; equal files are not touched, and other files stay.
    type: bool
    default: false
  recorded_manifests:
    description:
      - 'The backups that are on record with an API: of each its id, a colon, and the SHA-256 of its manifest
        (C(manifest_sha256) of the record).'
      - 'With it a backup that is on record is refused if its manifest is another one, whoever has signed it. One that
        is not on record is refused unless it is signed by one who is believed: of O(trusted_signers), or without these
        by this host itself, or with the passphrase.'
      - A restore in a job that the playbook C(freezer.backup.run_job) runs gets it from the records of the API.
    type: list
    elements: str
  restore_abs_path:
    description:
      - The folder to restore into; it is made when it is missing.
      - 'C(freezer-agent) at a shell takes C(-) as well: the one file that O(include) selects is then written to
        standard output.'
      - In documents and modules the path has to be absolute.
    type: path
    aliases: [target]
  restore_as:
    description:
      - The name of the new server or volume that a restore makes.
      - The default is C(<name>~<timestamp>).
    type: str
  restore_from_date:
    description:
      - 'Take the newest backup that began at or before this time: V(2026-11-22T08:30:00), V(2026-11-22) (all of that
        day), V(yesterday 18:00), V(3 days ago).'
      - Without a time zone it is the local time of the host.
    type: str
  salvage:
    description:
      - Restore what is whole of a damaged backup.
      - What is damaged is left out and listed in RV(ignore:not_restored), and the outcome is V(partial). A level of
        which nothing can be read counts as if it had changed nothing, so older states stand in for what it has.
        Manifests have to be whole.
      - Everything that is wanted is read twice.
    type: bool
    default: false
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) reads from the first storage that has the backup. Without O(backup_id) it fails if one
        of them cannot be read or is damaged, because that one may have a newer backup.
      - M(freezer.backup.verify) fails if one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - As O(storage), for this storage alone.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - As O(container), for this storage alone.
        type: str
        required: true
      cloud:
        description:
          - As O(cloud), for this storage alone.
        type: str
      osrc:
        description:
          - As O(osrc), for this storage alone.
        type: path
  trusted_signers:
    description:
      - The file with the keys that are believed, in the form of C(allowed_signers) of OpenSSH; the name of a line is
        that of the host.
      - With it a backup that is not signed, or by another key, or with a passphrase, is refused. Without it backups are
        read whoever wrote them, and RV(ignore:signed_by) of the result is null unless the host knows the key or the
        passphrase.
      - In documents and modules the path has to be absolute.
    type: path
  undo_folder:
    description:
      - A new folder on the same file system that gets what is replaced and removed, below the names that it had.
      - It stays until it is removed. It is not made if nothing is replaced or removed.
      - In documents and modules the path has to be absolute.
    type: path
"""

    VERIFY = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff),
        V(mount), V(admin), V(key) or V(exec).'
      - V(info) lists backups, V(list) what is in one of them, V(find) where O(freezer.backup.restore#module:include)
        matches in all of them, V(history) one path in each of them, and V(diff) what changed between two, or a backup
        and a folder. V(mount) shows one as a file system until it is unmounted.
      - The module accepts the action that it carries out, because documents have it.
    type: str
    choices: [verify]
  backup_id:
    description:
      - The backup with this id, or the only one whose id begins with these digits (4 or more).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  check:
    description:
      - 'How a backup is proven: V(segments) compares sizes and hashes, V(stream) also decompresses it and compares each
        member with the catalogue, V(restore) also restores it into a scratch folder.'
      - V(segments) checks all stored objects and the chain of manifests. V(restore) has to fit into the host's
        temporary folder.
      - For an image of a server or a volume V(segments) checks the size of all objects, V(stream) also their SHA-256.
        V(restore) uploads an image to Glance and compares its hash, and for a raw image makes a scratch volume and
        reads its bytes again.
      - For a backup of Cinder V(segments) checks its chain, V(stream) also restores it into a scratch volume, and
        V(restore) also reads that volume.
    type: str
    choices: [segments, stream, restore]
    default: stream
  cindernative_backup_id:
    description:
      - The backup of Cinder to restore or verify, also one of another program; the same as O(backup_id).
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(freezer.backup.backup#module:max_level) so many increments follow each full backup. Cinder builds an
        increment on the volume's newest backup; if that has another name than O(backup_name), the backup is full, and
        the result gives the reason.
    type: str
  cloud_timeout_seconds:
    description:
      - The longest wait for each operation of the cloud.
    type: float
    default: 21600
  compare_to:
    description:
      - 'Restore into a scratch folder and compare that with this folder: names, contents, modes, owners, times, links
        and extended attributes.'
      - Implies O(check=restore).
      - For O(cinder_vol_id) and O(cindernative_vol_id) it is the id or the name of a volume; the bytes of a snapshot of
        it are compared.
      - 'With V(diff) nothing is restored: what the backup says of each path, its size and time among that, is compared
        with this folder.'
      - In documents and modules the path has to be absolute.
    type: path
  encrypt_pass_file:
    description:
      - The file whose first line is the passphrase of encrypted backups, also of those by the agent of OpenStack's
        Freezer.
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  engine_name:
    description:
      - The engine of the archive.
      - 'V(rsync), of Freezer''s documents, is the same as V(tar): both keep blocks of large files, see
        O(freezer.backup.backup#module:block_level_size).'
      - Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, rsync, nova]
    default: tar
    aliases: [engine]
  identity_file:
    description:
      - 'The file with a secret key that opens encrypted backups: one of C(age-keygen), or a private key of SSH.'
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(freezer.backup.backup#module:snapshot=lvm),
        and O(freezer.backup.backup#module:path_to_backup) has to have all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, nova, cinder, cindernative, mongo]
    default: fs
  recorded_manifests:
    description:
      - 'The backups that are on record with an API: of each its id, a colon, and the SHA-256 of its manifest
        (C(manifest_sha256) of the record).'
      - 'With it a backup that is on record is refused if its manifest is another one, whoever has signed it. One that
        is not on record is refused unless it is signed by one who is believed: of O(trusted_signers), or without these
        by this host itself, or with the passphrase.'
      - A restore in a job that the playbook C(freezer.backup.run_job) runs gets it from the records of the API.
    type: list
    elements: str
  restore_from_date:
    description:
      - 'Take the newest backup that began at or before this time: V(2026-11-22T08:30:00), V(2026-11-22) (all of that
        day), V(yesterday 18:00), V(3 days ago).'
      - Without a time zone it is the local time of the host.
    type: str
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) reads from the first storage that has the backup. Without O(backup_id) it fails if one
        of them cannot be read or is damaged, because that one may have a newer backup.
      - M(freezer.backup.verify) fails if one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - As O(storage), for this storage alone.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - As O(container), for this storage alone.
        type: str
        required: true
      cloud:
        description:
          - As O(cloud), for this storage alone.
        type: str
      osrc:
        description:
          - As O(osrc), for this storage alone.
        type: path
  trusted_signers:
    description:
      - The file with the keys that are believed, in the form of C(allowed_signers) of OpenSSH; the name of a line is
        that of the host.
      - With it a backup that is not signed, or by another key, or with a passphrase, is refused. Without it backups are
        read whoever wrote them, and RV(ignore:signed_by) of the result is null unless the host knows the key or the
        passphrase.
      - In documents and modules the path has to be absolute.
    type: path
"""

    PRUNE = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff),
        V(mount), V(admin), V(key) or V(exec).'
      - V(info) lists backups, V(list) what is in one of them, V(find) where O(freezer.backup.restore#module:include)
        matches in all of them, V(history) one path in each of them, and V(diff) what changed between two, or a backup
        and a folder. V(mount) shows one as a file system until it is unmounted.
      - The module accepts the action that it carries out, because documents have it.
    type: str
    choices: [admin]
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(freezer.backup.backup#module:max_level) so many increments follow each full backup. Cinder builds an
        increment on the volume's newest backup; if that has another name than O(backup_name), the backup is full, and
        the result gives the reason.
    type: str
  cloud_timeout_seconds:
    description:
      - The longest wait for each operation of the cloud.
    type: float
    default: 21600
  engine_name:
    description:
      - The engine of the archive.
      - 'V(rsync), of Freezer''s documents, is the same as V(tar): both keep blocks of large files, see
        O(freezer.backup.backup#module:block_level_size).'
      - Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, rsync, nova]
    default: tar
    aliases: [engine]
  keep_daily:
    description:
      - Keep the newest backup of each of so many days that have any.
      - Days, weeks, months and years are those of the host's time zone.
    type: int
  keep_last:
    description:
      - Keep so many of the newest backups; 0 is no rule, here and in the others.
    type: int
  keep_monthly:
    description:
      - Keep the newest backup of each of so many months that have any.
    type: int
  keep_weekly:
    description:
      - Keep the newest backup of each of so many weeks that have any.
    type: int
  keep_yearly:
    description:
      - Keep the newest backup of each of so many years that have any.
    type: int
  min_age:
    description:
      - Make no backup if the newest one in every storage is younger than this many seconds.
      - With M(freezer.backup.prune), keep leftovers of killed runs that are younger than this.
    type: float
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(freezer.backup.backup#module:snapshot=lvm),
        and O(freezer.backup.backup#module:path_to_backup) has to have all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, nova, cinder, cindernative, mongo]
    default: fs
  remove_before_date:
    description:
      - Remove backups that began at or before this date, as in V(2026-11-22T08:30:00), unless another rule keeps them.
    type: str
    aliases: [remove_from_date]
  remove_older_than:
    description:
      - Remove backups that are older than so many days, unless another rule keeps them.
    type: float
    aliases: [remove_older_then]
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) reads from the first storage that has the backup. Without
        O(freezer.backup.restore#module:backup_id) it fails if one of them cannot be read or is damaged, because that
        one may have a newer backup.
      - M(freezer.backup.verify) fails if one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - As O(storage), for this storage alone.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - As O(container), for this storage alone.
        type: str
        required: true
      cloud:
        description:
          - As O(cloud), for this storage alone.
        type: str
      osrc:
        description:
          - As O(osrc), for this storage alone.
        type: path
"""

    BACKUP_CONTENTS_INFO = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(list), V(find), V(history), V(diff),
        V(mount), V(admin), V(key) or V(exec).'
      - V(info) lists backups, V(list) what is in one of them, V(find) where O(include) matches in all of them,
        V(history) one path in each of them, and V(diff) what changed between two, or a backup and a folder. V(mount)
        shows one as a file system until it is unmounted.
      - The module accepts the action that it carries out, because documents have it.
    type: str
    choices: [list, find, history, diff]
  backup_id:
    description:
      - The backup with this id, or the only one whose id begins with these digits (4 or more).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(freezer.backup.backup#module:max_level) so many increments follow each full backup. Cinder builds an
        increment on the volume's newest backup; if that has another name than O(backup_name), the backup is full, and
        the result gives the reason.
    type: str
  compare_to:
    description:
      - 'Restore into a scratch folder and compare that with this folder: names, contents, modes, owners, times, links
        and extended attributes.'
      - Implies O(freezer.backup.verify#module:check=restore).
      - For O(cinder_vol_id) and O(cindernative_vol_id) it is the id or the name of a volume; the bytes of a snapshot of
        it are compared.
      - 'With V(diff) nothing is restored: what the backup says of each path, its size and time among that, is compared
        with this folder.'
      - In documents and modules the path has to be absolute.
    type: path
  encrypt_pass_file:
    description:
      - The file whose first line is the passphrase of encrypted backups, also of those by the agent of OpenStack's
        Freezer.
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  engine_name:
    description:
      - The engine of the archive.
      - 'V(rsync), of Freezer''s documents, is the same as V(tar): both keep blocks of large files, see
        O(freezer.backup.backup#module:block_level_size).'
      - Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, rsync, nova]
    default: tar
    aliases: [engine]
  exclude:
    description:
      - Leave out paths that match this pattern, in the form of GNU tar's C(--exclude).
      - A restore, and a list of what is in a backup, leave out what matches.
    type: list
    elements: str
  identity_file:
    description:
      - 'The file with a secret key that opens encrypted backups: one of C(age-keygen), or a private key of SSH.'
      - Only root and the user who runs this may be able to read or write it.
      - In documents and modules the path has to be absolute.
    type: path
  include:
    description:
      - Restore, list or find only what matches this pattern, with all that is below it.
      - 'A pattern is one of O(exclude): C(*.conf) and C(etc/ssh) match at any depth, C(./etc) only at the top of what
        was backed up. A path from the root of the host that was backed up, such as C(/etc/ssh), is one inside the
        backup.'
      - For a restore, folders above it are made where they are missing, and stay as they are where they exist. If
        nothing matches, nothing is restored, and that is an error.
      - Backups of earlier releases and of OpenStack's Freezer are restored as a whole only.
    type: list
    elements: str
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(freezer.backup.backup#module:snapshot=lvm),
        and O(freezer.backup.backup#module:path_to_backup) has to have all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, nova, cinder, cindernative, mongo]
    default: fs
  path:
    description:
      - The file or folder in a backup to list, to follow or to compare, with all that is below it.
      - It is relative to what was backed up, or a path from the root of the host that was backed up.
    type: str
  recorded_manifests:
    description:
      - 'The backups that are on record with an API: of each its id, a colon, and the SHA-256 of its manifest
        (C(manifest_sha256) of the record).'
      - 'With it a backup that is on record is refused if its manifest is another one, whoever has signed it. One that
        is not on record is refused unless it is signed by one who is believed: of O(trusted_signers), or without these
        by this host itself, or with the passphrase.'
      - A restore in a job that the playbook C(freezer.backup.run_job) runs gets it from the records of the API.
    type: list
    elements: str
  restore_from_date:
    description:
      - 'Take the newest backup that began at or before this time: V(2026-11-22T08:30:00), V(2026-11-22) (all of that
        day), V(yesterday 18:00), V(3 days ago).'
      - Without a time zone it is the local time of the host.
    type: str
  since_backup_id:
    description:
      - The older one of two backups to compare, by its id or the first 4 digits or more.
      - The default is the backup before.
    type: str
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) reads from the first storage that has the backup. Without O(backup_id) it fails if one
        of them cannot be read or is damaged, because that one may have a newer backup.
      - M(freezer.backup.verify) fails if one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - As O(storage), for this storage alone.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - As O(container), for this storage alone.
        type: str
        required: true
      cloud:
        description:
          - As O(cloud), for this storage alone.
        type: str
      osrc:
        description:
          - As O(osrc), for this storage alone.
        type: path
  trusted_signers:
    description:
      - The file with the keys that are believed, in the form of C(allowed_signers) of OpenSSH; the name of a line is
        that of the host.
      - With it a backup that is not signed, or by another key, or with a passphrase, is refused. Without it backups are
        read whoever wrote them, and RV(ignore:signed_by) of the result is null unless the host knows the key or the
        passphrase.
      - In documents and modules the path has to be absolute.
    type: path
"""
