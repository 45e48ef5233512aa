# Copyright (c) 2026 The freezer.backup authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of a freezer_action as module options."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  action:
    description:
      - What the action document is for. The module does what its own name says, whatever stands here.
    type: str
  always_level:
    description:
      - Once this level is reached it is taken again and again, each time on the newest backup of the level below.
      - The value V(1) makes differential backups.
    type: int
    aliases: [always_backup_level]
  backup_id:
    description:
      - The backup to restore or verify, by its id or by the first digits of it (4 or more, as many as no other has).
      - Without it and O(restore_from_date) it is the newest one.
    type: str
  backup_name:
    description:
      - The name under which backups of the same data are kept and found again.
      - Of a server or a volume it is C(freezer_<medium>_<id>) if it is not given; restore and verify then take the newest
        backup, whatever it is called.
    type: str
  cloud:
    description:
      - The name of a cloud in a C(clouds.yaml) of the host, which O(storage=swift) is in. It needs the Python library
        openstacksdk there.
      - Without this and O(osrc) the environment of the module says who asks, with E(OS_CLOUD), or with E(OS_AUTH_URL)
        and what belongs to it. That needs the Python library keystoneauth1 there.
    type: str
  compression:
    description:
      - How new backups are compressed. Without it V(zstd), or V(gzip) where the host has neither Python's
        C(zstandard) nor the program C(zstd).
    type: str
    choices: [zstd, gzip, none]
  compression_level:
    description:
      - The level of O(compression), 1 to 19 for V(zstd) and 1 to 9 for V(gzip). Without it 3 and 6.
    type: int
  container:
    description:
      - Where in the storage backups are kept. For O(storage=local) the absolute path of a folder, which is made with
        mode 0700 when it is missing. For O(storage=swift) the name of a container, which is made as well, as is
        C(<container>_segments).
      - Required for O(storage=local). For O(storage=swift) V(freezer_backups) is chosen without it, the default of Freezer's
        agents. A name that is given is taken as it is. Images of servers and volumes need O(storage=swift).
    type: str
  deadline_seconds:
    description:
      - The application of O(mode) is let go after this time, whatever has become of the backup, which fails then. Without
        it 60. It is above 0 and at most 86400.
    type: float
  dereference_symlink:
    description:
      - Whether to store what symbolic links point to (V(soft)), every hard link as a file of its own (V(hard)), both
        (V(all)) or neither.
    type: str
    choices: [none, soft, hard, all]
  dry_run:
    description:
      - Do as in check mode.
    type: bool
    default: false
  engine_name:
    description:
      - The engine of the archive. V(nova) is what Freezer's documents have for a server, which O(nova_inst_id) names.
    type: str
    choices: [tar, nova]
    aliases: [engine]
  exclude:
    description:
      - Patterns, as GNU tar's C(--exclude) takes them, of what is left out of a backup.
    type: list
    elements: str
  hostname:
    description:
      - The host that the backup is of. Without it the name of the host that the module runs on.
    type: str
    aliases: [restore_from_host]
  incremental:
    description:
      - The value V(false) is the same as O(no_incremental=true).
    type: bool
    default: true
  log_file:
    description:
      - Taken so that action documents fit; the module reports through Ansible and writes no log.
    type: str
  init:
    description:
      - Take the container as it is now. A folder is made with all folders above it; without it the folder above has to be there.
      - The first backup writes a marker with an id into a container, and the host remembers it. A container that was used from a host is
        refused there when it is gone, has lost its marker or has another id, which is what a storage looks like that is not
        mounted. With this option it is used all the same, and remembered anew.
    type: bool
    default: false
  lvm_auto_snap:
    description:
      - The same as O(snapshot=lvm), as Freezer's older documents have it. A path has to be on the volume that
        O(path_to_backup) is on; V(true) says no more.
    type: str
  lvm_dirmount:
    description:
      - The folder on which the snapshot is mounted; it has to be empty. Without it a folder of its own below
        C(/run/freezer-backup).
      - With O(lvm_srcvol), O(path_to_backup) can be the path that the data has in the mounted snapshot.
    type: path
  lvm_snapname:
    description:
      - The name of the snapshot. Without it C(freezer_backup_snap_) and a code.
    type: str
  lvm_snapperm:
    description:
      - Whether the snapshot can be written to (V(rw)). Without it V(ro).
    type: str
    choices: [ro, rw]
    aliases: [lvm_snap_perm]
  lvm_snapsize:
    description:
      - What a classic snapshot may keep of what is overwritten while it is read, such as V(2G), V(20%ORIGIN) or
        V(50%FREE). Without it 1 GiB. A backup whose snapshot runs out of space fails.
      - A thin volume has thin snapshots, which take what they need of the pool.
    type: str
  lvm_srcvol:
    description:
      - The volume, as C(group/volume) or by its path. It is found by O(path_to_backup); if it is given it has to be that one.
      - It asks for a snapshot without O(snapshot).
    type: str
  lvm_volgroup:
    description:
      - The group of the volume. It is found by O(path_to_backup); if it is given it has to be that one.
    type: str
  max_level:
    description:
      - The highest level. After a backup of this level the next one is full again.
      - Without O(max_level), O(always_level) and O(restart_always_level) every backup is full.
    type: int
    aliases: [max_backup_level]
  max_priority:
    description:
      - Work with the highest priority for processors, and that of real time for disks. What cannot be had is warned of.
    type: bool
    default: false
    aliases: [max_cpu_priority]
  max_segment_size:
    description:
      - The size of a stored segment in bytes, or with a suffix as in V(64M). Without it 64 MiB. At least V(64K).
    type: str
    aliases: [max_seg_size]
  insecure:
    description:
      - Do not verify the certificates of the cloud that is asked, with a warning.
    type: bool
    default: false
  keep_daily:
    description:
      - With M(freezer.backup.prune), keep the newest backup of each of so many days that have any. Days, weeks, months and
        years are those of the host's time zone.
    type: int
  keep_last:
    description:
      - With M(freezer.backup.prune), keep so many of the newest backups.
    type: int
  keep_monthly:
    description:
      - With M(freezer.backup.prune), keep the newest backup of each of so many months that have any.
    type: int
  keep_weekly:
    description:
      - With M(freezer.backup.prune), keep the newest backup of each of so many weeks that have any.
    type: int
  keep_yearly:
    description:
      - With M(freezer.backup.prune), keep the newest backup of each of so many years that have any.
    type: int
  min_age:
    description:
      - Make no new backup while the newest one in every storage is younger than this many seconds.
      - With M(freezer.backup.prune), leave what killed runs have left while it is younger than this many seconds.
    type: float
  mode:
    description:
      - What kind of data is backed up. V(fs) is files.
      - The others are files of a database that is running. It is held still while the snapshot is made, so they need
        O(snapshot=lvm), and O(path_to_backup) holds all of its files. V(mongo) is V(mongodb).
      - With a server or a volume of a cloud it is held until the cloud has taken its snapshot.
      - V(nova), V(cinder) and V(cindernative) say no more than the option that names the server or the volume.
    type: str
    choices: [fs, mysql, postgresql, mongodb, mongo, nova, cinder, cindernative]
  mongodb_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mongodb). It may have C(host), C(port), C(user),
        C(password) and C(database). Without it the server of the host is asked without a password.
    type: path
  mysql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=mysql), also MySQL's own option files. It may
        have C(host), C(port), C(user), C(password) and C(socket). Without it the module's user logs in through the socket.
    type: path
  no_incremental:
    description:
      - Make a full backup whatever the levels say.
    type: bool
    default: false
  one_file_system:
    description:
      - Do not descend into other file systems that are mounted below O(path_to_backup). What is left out that way is named in
        RV(ignore:left_out) and RV(ignore:reason) of the result, and is no failure.
      - Without it they are backed up as well, unless a snapshot is read, which holds one file system. What holds no files is always left
        out and named, such as C(/proc), C(/sys) and C(devtmpfs).
      - Not given, it is C(false), and C(true) with O(snapshot).
    type: bool
  osrc:
    description:
      - The path of an openrc file on the host, which says who asks the cloud that O(storage=swift) is in. Its lines
        are read, not run.
    type: path
  overwrite:
    description:
      - Restore into a folder that is not empty. Files of the backup replace those of the same name, equal ones are
        not touched, all others stay.
    type: bool
    default: false
  path_to_backup:
    description:
      - The folder or the file to back up.
    type: path
    aliases: [src_file, file_to_backup]
  postgresql_conf:
    description:
      - A file on the host with lines such as C(user = backup), for O(mode=postgresql). It may have C(host), C(port),
        C(user), C(password), C(database), C(socket), and C(os_user), the user of the system that logs in.
      - Without C(host) it is C(postgres) who does, if the module runs as root.
    type: path
  proxy:
    description:
      - Ask the cloud through this proxy for HTTP, such as C(http://proxy.example.org:3128), or through none with V(none).
      - Without it the environment's C(https_proxy), C(http_proxy) and C(no_proxy) count.
    type: str
  remove_before_date:
    description:
      - With M(freezer.backup.prune), remove backups that began at or before this date, as in V(2026-11-22T08:30:00), unless
        another rule keeps them.
    type: str
    aliases: [remove_from_date]
  remove_older_than:
    description:
      - With M(freezer.backup.prune), remove backups that are older than so many days, unless another rule keeps them.
    type: float
    aliases: [remove_older_then]
  restart_always_level:
    description:
      - The number of days after which a full backup is made, counted from the last full one.
    type: float
    aliases: [restart_always_backup]
  restore_abs_path:
    description:
      - The folder to restore into; it is made when it is missing.
    type: path
  restore_from_date:
    description:
      - Take the newest backup that began at or before this moment, an ISO 8601 date such as
        V(2026-11-22T08:30:00), or words such as V(yesterday 18:00) or V(3 days ago). Without a time zone it is local
        time of the host; a day without a time is the end of that day.
    type: str
  snapshot:
    description:
      - With V(lvm), or V(true) as in Freezer's documents, a snapshot of the logical volume with O(path_to_backup) is read
        and removed afterwards. All files are of one moment then.
      - Needs root and lvm2 on the host, and free extents in the volume group or space in the thin pool.
    type: str
  storage:
    description:
      - The kind of the storage. V(swift) is the object store of an OpenStack cloud.
      - Without this and O(storages) it is V(swift) where O(cloud), O(osrc) or the environment of the module (E(OS_CLOUD), or
        E(OS_AUTH_URL) and what belongs to it, or E(OS_CLIENT_CONFIG_FILE)) says who asks a cloud, and an error else.
        The result says so in C(chosen).
    type: str
    choices: [local, swift]
  storages:
    description:
      - Several storages at once, in place of O(storage) and O(container). The source is read and compressed once.
      - Restore takes the first one that has the backup. Without O(backup_id) it refuses while one of them, which may have a newer
        backup, cannot be read or is damaged.
      - Verify fails where one of them does not have the backup.
    type: list
    elements: dict
    suboptions:
      storage:
        description:
          - The kind of this storage.
        type: str
        choices: [local, swift]
        required: true
      container:
        description:
          - Where in this storage backups are kept.
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
      - Before a backup begins, write out what the file systems of the host have in memory.
    type: bool
    default: false
  timeout:
    description:
      - How long an answer of the cloud may take, in seconds. Without it 30.
    type: float
"""
