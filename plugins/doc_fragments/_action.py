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
      - What is backed up; it follows from the option that names it, and has to agree with that.
    type: str
    choices: [fs, nova, cinder, cindernative]
  backup_name:
    description:
      - The name under which backups of the same data are kept and found again.
      - Of a server or a volume it is C(freezer_<medium>_<id>) if it is not given; a restore and a proof then take the
        newest backup, whatever it is called.
    type: str
  cinder_vol_id:
    description:
      - The id of a volume, an image of which is kept in Swift.
      - It is made by way of a snapshot, a volume of that and an image of that, all of which are removed in the end.
    type: str
    aliases: [cinder_inst_id]
  cinder_vol_name:
    description:
      - The same by the volume's name, which only one volume of the project may have.
    type: str
  cindernative_vol_id:
    description:
      - The id of a volume that Cinder itself backs up into its backup store; no storage and no container is needed.
      - With O(freezer.backup.backup#module:max_level) there are so many increments after each full backup. Cinder
        builds an increment on the volume's newest backup; where that is not one of O(backup_name) the backup is full,
        and says why.
    type: str
  cloud:
    description:
      - The name of a cloud in a C(clouds.yaml) of the host, for O(storage=swift), servers and volumes.
      - Without it and without O(osrc) E(OS_CLOUD), or E(OS_AUTH_URL) and what belongs to it.
      - It needs the Python library openstacksdk on the host; without this and O(osrc) keystoneauth1 is enough, if
        E(OS_CLOUD) is not set.
    type: str
  cloud_timeout_seconds:
    description:
      - How long to wait for each thing that the cloud does.
    type: float
    default: 21600
  container:
    description:
      - 'Where in the storage backups are kept: for O(storage=local) the absolute path of a folder, for O(storage=swift)
        the name of a container.'
      - Without it V(freezer_backups) for V(swift).
      - Both are made when they are missing, a folder with mode 0700, and beside a container C(<container>_segments).
      - Required for O(storage=local). The default for O(storage=swift) is that of Freezer's agents; a name that is
        given is taken as it is. Images of servers and volumes need O(storage=swift).
    type: str
  dry_run:
    description:
      - Say what would be done, and do nothing.
      - It is the same as check mode of Ansible.
    type: bool
    default: false
  engine_name:
    description:
      - The engine of the archive.
      - V(nova) is what Freezer's documents have for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, nova]
    default: tar
    aliases: [engine]
  hostname:
    description:
      - The host that the backup is of.
      - Without it the name of the host that does the work.
    type: str
    aliases: [restore_from_host]
  init:
    description:
      - Use the container as it is now, and make a folder with all folders above it.
      - Without it the folder above has to be there. The first backup writes a marker with an id into a container, and
        the host remembers it. A container that was used from a host is refused there when it is gone, has lost its
        marker or has another id, which is what a storage looks like that is not mounted. With this option it is used
        all the same, and remembered anew.
    type: bool
    default: false
  insecure:
    description:
      - Do not verify the certificates of the cloud, with a warning.
    type: bool
    default: false
  log_file:
    description:
      - Append what happens to this file.
      - 'A module takes it so that documents fit, and writes no log: it reports through Ansible.'
    type: str
  max_priority:
    description:
      - Work with the highest priority for processors, and that of real time for disks.
      - What cannot be had is warned of.
    type: bool
    default: false
    aliases: [max_cpu_priority]
  mode:
    description:
      - 'What kind of data is backed up: V(fs) is files, the others a database that is running.'
      - The database is quiesced while the snapshot is made, so it needs O(freezer.backup.backup#module:snapshot=lvm),
        and O(freezer.backup.backup#module:path_to_backup) holds all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) say no more than the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, mongo, nova, cinder, cindernative]
    default: fs
  nova_inst_id:
    description:
      - The id of a server, an image of which is kept in Swift.
      - Of a server that boots from a volume it is an image of each of its volumes. Volumes that are attached to a
        server with a disk of its own are not part of it.
      - The cloud is the one that O(cloud), O(osrc) or the environment names.
    type: str
  nova_inst_name:
    description:
      - The same by the server's name, which only one server of the project may have.
    type: str
  osrc:
    description:
      - The path of an openrc file on the host with the credentials of a cloud, for O(storage=swift), servers and
        volumes.
      - Its lines are read, not run.
    type: path
  proxy:
    description:
      - Ask the cloud through this proxy for HTTP, such as C(http://proxy.example.org:3128), or through none with
        V(none).
      - Without it that of E(https_proxy), E(http_proxy) and E(no_proxy).
    type: str
  storage:
    description:
      - 'Where backups are kept: V(local) is a folder of the host, V(swift) the object store of an OpenStack cloud.'
      - Without this and O(storages) it is V(swift) where O(cloud), O(osrc) or the environment (E(OS_CLOUD), or
        E(OS_AUTH_URL) and what belongs to it, or E(OS_CLIENT_CONFIG_FILE)) names a cloud, and an error else. The result
        says so in RV(ignore:chosen).
    type: str
    choices: [local, swift]
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - M(freezer.backup.restore) takes the first one that has the backup. Without
        O(freezer.backup.restore#module:backup_id) it refuses while one of them, which may have a newer backup, cannot
        be read or is damaged.
      - M(freezer.backup.verify) fails where one of them does not have the backup.
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
  timeout:
    description:
      - How long an answer of the cloud may take, in seconds.
      - Without it 30.
    type: float
"""

    BACKUP = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(admin) or V(exec).'
      - A module takes the action that it carries out, so that a document can be given as it is.
    type: str
    choices: [backup]
  always_level:
    description:
      - Once this level is reached it is taken again every time, on the newest backup of the level below.
      - The value V(1) makes differential backups.
    type: int
    aliases: [always_backup_level]
  cindernative_backup_container:
    description:
      - The container that Cinder puts its backup into.
      - Without it Cinder's own.
    type: str
  compression:
    description:
      - How new backups are compressed.
      - Without it V(zstd), or V(gzip) where the host has neither Python's C(zstandard) nor the program C(zstd).
    type: str
    choices: [zstd, gzip, none]
  compression_level:
    description:
      - 'The level of O(compression), 1 to 19 for V(zstd) (default: 3) and 1 to 9 for V(gzip) (default: 6).'
    type: int
  deadline_seconds:
    description:
      - The application of O(mode) is released after this time, whatever the backup has done by then; it fails in that
        case.
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
  exclude:
    description:
      - Leave out what matches this pattern, as GNU tar's C(--exclude) takes it; can be given several times.
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
      - The path has to be on the volume that O(path_to_backup) is on; V(true) says no more.
    type: str
  lvm_dirmount:
    description:
      - The folder on which the snapshot is mounted; it has to be empty.
      - Without it a folder of its own below C(/run/freezer-backup).
      - With O(lvm_srcvol), O(path_to_backup) can be the path that the data has in the mounted snapshot.
    type: path
  lvm_snapname:
    description:
      - The name of the snapshot.
      - Without it C(freezer_backup_snap_) and a code.
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
      - What a classic snapshot may keep of what is overwritten while it is read, such as V(2G), V(20%ORIGIN) or
        V(50%FREE).
      - Without it 1G.
      - A backup whose snapshot runs out of space fails. A thin volume has thin snapshots, which take what they need of
        the pool.
    type: str
  lvm_srcvol:
    description:
      - The volume to take the snapshot of, as C(group/volume) or by its path; it asks for a snapshot without
        O(snapshot).
      - Without it the one that the path is on.
      - It is found by O(path_to_backup); if it is given it has to be that one.
    type: str
  lvm_volgroup:
    description:
      - The group of the volume.
      - Without it that of the path's volume.
      - It is found by O(path_to_backup); if it is given it has to be that one.
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
      - Make no new backup while the newest one in every storage is younger than this many seconds.
      - With M(freezer.backup.prune), leave what killed runs have left while it is younger than this.
    type: float
  mongodb_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mongodb).
      - It may have C(host), C(port), C(user), C(password) and C(database). Without it the server of the host is asked
        without a password.
    type: path
  mysql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mysql), also MySQL's own option files.
      - It may have C(host), C(port), C(user), C(password) and C(socket). Without it the user who runs the backup logs
        in through the socket.
    type: path
  no_incremental:
    description:
      - Make a full backup, whatever the levels say.
    type: bool
    default: false
  one_file_system:
    description:
      - Leave out other file systems that are mounted below the path.
      - Without it no, and yes with a snapshot.
      - They are backed up as well without it, unless a snapshot is read, which holds one file system. What holds no
        files is always left out, such as C(/proc), C(/sys) and C(devtmpfs).
      - What is left out is named in RV(ignore:left_out) and RV(ignore:reason) of the result, and is no failure.
    type: bool
  path_to_backup:
    description:
      - The folder or the file to back up.
    type: path
    aliases: [src_file, file_to_backup]
  postgresql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=postgresql).
      - It may have C(host), C(port), C(user), C(password), C(database), C(socket), and C(os_user), the user of the
        system that logs in. Without C(host) that is C(postgres), if root runs the backup.
    type: path
  restart_always_level:
    description:
      - Begin with a full backup again after so many days, counted from the last full one.
    type: float
    aliases: [restart_always_backup]
  snapshot:
    description:
      - Read a snapshot of the LVM volume that the path is on, and remove it afterwards.
      - All files are of one point in time then. In documents and modules the value is V(lvm), or V(true) as Freezer has
        it.
      - Needs root and lvm2 on the host, and free extents in the volume group or space in the thin pool.
    type: str
  sync:
    description:
      - Write out what the file systems of the host have in memory before a backup begins.
    type: bool
    default: false
"""

    RESTORE = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(admin) or V(exec).'
      - A module takes the action that it carries out, so that a document can be given as it is.
    type: str
    choices: [restore]
  backup_id:
    description:
      - The backup with this id, or with the only one that begins so (4 digits or more).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  cindernative_backup_id:
    description:
      - The backup of Cinder to restore or verify, also one that was made of the volume in another way; the same as
        O(backup_id).
    type: str
  nova_restore_network:
    description:
      - The id of the network that a restored server gets.
      - Without it those that the server had.
    type: str
  overwrite:
    description:
      - Restore into a folder that is not empty.
      - Files of the backup replace those of the same name, equal ones are not touched, all others stay.
    type: bool
    default: false
  restore_abs_path:
    description:
      - The folder to restore into; it is made when it is missing.
    type: path
  restore_as:
    description:
      - The name of the new server or volume that a restore makes.
      - Without it C(<name>~<timestamp>).
    type: str
  restore_from_date:
    description:
      - 'Take the newest backup that began at or before this moment: V(2026-11-22T08:30:00), V(2026-11-22) (all of that
        day), V(yesterday 18:00), V(3 days ago).'
      - Without a time zone it is local time of the host.
    type: str
"""

    VERIFY = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(admin) or V(exec).'
      - A module takes the action that it carries out, so that a document can be given as it is.
    type: str
    choices: [verify]
  backup_id:
    description:
      - The backup with this id, or with the only one that begins so (4 digits or more).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  check:
    description:
      - 'How a backup is proven: V(segments) compares sizes and hashes, V(stream) also unpacks it and lets tar read it,
        V(restore) also restores it into a scratch folder.'
      - V(segments) looks at all stored objects and the chain of manifests. V(restore) has to fit into the host's
        temporary folder.
      - Of an image of a server or a volume V(segments) is the size of all objects, V(stream) also their SHA-256, and
        V(restore) an image in Glance, whose hash is compared, and if it is raw a scratch volume made of that, whose
        bytes are read again.
      - Of a backup of Cinder V(segments) is the chain that it is built on, V(stream) also a restore into a scratch
        volume, and V(restore) also reading that.
    type: str
    choices: [segments, stream, restore]
    default: stream
  cindernative_backup_id:
    description:
      - The backup of Cinder to restore or verify, also one that was made of the volume in another way; the same as
        O(backup_id).
    type: str
  compare_to:
    description:
      - 'Restore into a scratch folder and compare that with this folder: names, contents, modes, owners, times, links
        and extended attributes.'
      - Implies O(check=restore).
      - For O(cinder_vol_id) and O(cindernative_vol_id) it is the id or the name of a volume, whose bytes are compared
        by way of a snapshot.
    type: path
  restore_from_date:
    description:
      - 'Take the newest backup that began at or before this moment: V(2026-11-22T08:30:00), V(2026-11-22) (all of that
        day), V(yesterday 18:00), V(3 days ago).'
      - Without a time zone it is local time of the host.
    type: str
"""

    PRUNE = r"""
options:
  action:
    description:
      - 'What to do: V(backup) (the default), V(restore), V(verify), V(info), V(admin) or V(exec).'
      - A module takes the action that it carries out, so that a document can be given as it is.
    type: str
    choices: [admin]
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
      - Make no new backup while the newest one in every storage is younger than this many seconds.
      - With M(freezer.backup.prune), leave what killed runs have left while it is younger than this.
    type: float
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
"""
