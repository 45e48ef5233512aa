# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the table of options (`spec`) that say what a backup reads, and how it is stored."""

from __future__ import annotations

from collections.abc import Sequence

from ..quiesce.base import DEFAULT_DEADLINE_SECONDS, MOST_DEADLINE_SECONDS
from ..repository.compressions import COMPATIBLE, COMPRESSIONS, LEVELS
from . import values
from .row import ADMIN, BACKUP, CLOUDS, EACH, FILES, RESTORE, Row

DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024
DEFAULT_BLOCK_LEVEL_BYTES = 64 * 1024 * 1024


def _levels_of(compression: str) -> str:
    best, usual = LEVELS[compression]
    return f"1 to {best} for V({compression}) (default: {usual})"


READ: Sequence[Row] = (
    Row("path_to_backup", values.text, "PATH", "The folder or the file to back up.", short="-F",
        line="backup: the folder or the file to back up", aliases=("src_file", "file_to_backup"), verbs=BACKUP,
        media=(FILES,), is_path=True),
    Row("exclude", values.texts, "PATTERN",
        "Leave out paths that match this pattern, in the form of GNU tar's C(--exclude).", repeated=True,
        more="A restore, and a list of what is in a backup, leave out what matches.",
        line="backup, restore: leave this out (repeatable)", default=(), verbs=(*BACKUP, *RESTORE, "list"), media=(FILES,)),
    Row("dereference_symlink", values.Choice("none", "soft", "hard", "all"), "WHICH",
        "Store what symbolic links point to (V(soft)), every hard link as a file of its own (V(hard)), both (V(all)) or neither (V(none)).",
        default="none", verbs=BACKUP, media=(FILES,)),
    Row("one_file_system", values.switch, "", "Leave out other file systems that are mounted below the path.",
        more="With V(false) they are backed up as well, unless a snapshot is read, which has one file system. "
             "Virtual file systems are always left out, such as C(/proc), C(/sys) and C(devtmpfs).\n"
             "File systems that are left out are listed in RV(ignore:left_out) and RV(ignore:reason) of the result. "
             "That is no failure.",
        otherwise="V(false), and V(true) with a snapshot", verbs=BACKUP),
)  # fmt: skip

CONSISTENCY: Sequence[Row] = (
    Row("snapshot", values.snapshot, "",
        "Read a snapshot of the LVM volume that the path is on, and remove it afterwards.",
        more="All files are then of one point in time. In documents and modules the value is V(lvm), or V(true) as "
             "Freezer has it.\n"
             "Needs root and lvm2 on the host, and free extents in the volume group or space in the thin pool.",
        line="backup: read a snapshot of the LVM volume", default="", verbs=BACKUP, media=(FILES,)),
    Row("mode", values.Choice("fs", "mysql", "postgresql", "mongodb", *CLOUDS, mongo="mongodb"), "MODE",
        "What kind of data is backed up: V(fs) is files, the others a database that is running.",
        more="The database is quiesced while the snapshot is made, so it needs O(snapshot=lvm), and "
             "O(path_to_backup) has to have all of its files. V(mongo) is V(mongodb).\n"
             "With a server or a volume of a cloud it is quiesced until the cloud has taken its snapshot.\n"
             "V(nova), V(cinder) and V(cindernative) mean the same as the option that names the server or the "
             "volume.",
        short="-m", line="backup: fs, mysql, postgresql or mongodb", default="fs", verbs=EACH),
    Row("mysql_conf", values.text, "FILE",
        "A file on the host with lines such as C(user = backup), for O(mode=mysql), also MySQL's own option files.",
        more="It may have C(host), C(port), C(user), C(password) and C(socket). Without it the user who runs the backup logs in "
             "through the socket.",
        verbs=BACKUP, is_path=True),
    Row("postgresql_conf", values.text, "FILE",
        "A file on the host with lines such as C(user = backup), for O(mode=postgresql).",
        more="It may have C(host), C(port), C(user), C(password), C(database), C(socket), and C(os_user), the user of the system "
             "that logs in. Without C(host) that is C(postgres), if root runs the backup.",
        verbs=BACKUP, is_path=True),
    Row("mongodb_conf", values.text, "FILE",
        "A file on the host with lines such as C(user = backup), for O(mode=mongodb).",
        more="It may have C(host), C(port), C(user), C(password) and C(database). Without it the server of the host is asked "
             "without a password.",
        verbs=BACKUP, is_path=True),
    Row("deadline_seconds", values.number, "SECONDS",
        "The application of O(mode) is released after this time in any case; the backup fails in that case.",
        more=f"It is above 0 and at most {MOST_DEADLINE_SECONDS:.0f}.", default=DEFAULT_DEADLINE_SECONDS, verbs=BACKUP),
    Row("lvm_snapsize", values.text, "SIZE",
        "The space of a classic snapshot for blocks that are overwritten while it is read, such as V(2G), V(20%ORIGIN) or V(50%FREE).",
        more="A backup whose snapshot runs out of space fails. A thin volume has thin snapshots, which take what they need of "
             "the pool.",
        otherwise="1G", verbs=BACKUP, media=(FILES,)),
    Row("lvm_snapname", values.text, "NAME", "The name of the snapshot.", otherwise="C(freezer_backup_snap_) and a code",
        verbs=BACKUP, media=(FILES,)),
    Row("lvm_snapperm", values.Choice("ro", "rw"), "PERM", "Whether the snapshot can only be read (V(ro)), or also be written to (V(rw)).",
        spelling="lvm_snap_perm", aliases=("lvm_snap_perm",), default="ro", verbs=BACKUP),
    Row("lvm_dirmount", values.text, "PATH", "The mount point of the snapshot; it has to be empty.",
        more="With O(lvm_srcvol), O(path_to_backup) can be the path that the data has in the mounted snapshot.",
        otherwise="a folder of its own below C(/run/freezer-backup)", verbs=BACKUP, media=(FILES,), is_path=True),
    Row("lvm_srcvol", values.text, "VOLUME",
        "The volume to take the snapshot of, as C(group/volume) or by its path; it asks for a snapshot without O(snapshot).",
        more="It follows from O(path_to_backup); if it is given, it has to agree.", otherwise="the one that the path is on",
        verbs=BACKUP, media=(FILES,)),
    Row("lvm_volgroup", values.text, "GROUP", "The group of the volume.",
        more="It follows from O(path_to_backup); if it is given, it has to agree.", otherwise="that of the path's volume",
        verbs=BACKUP, media=(FILES,)),
    Row("lvm_auto_snap", values.auto_snap, "PATH",
        "The same as O(snapshot=lvm), for the volume of this path, as Freezer's older documents have it.",
        more="The path has to be on the volume that O(path_to_backup) is on; V(true) is the same as O(snapshot=lvm) "
             "alone.", verbs=BACKUP,
        media=(FILES,)),
)  # fmt: skip

LEVELS_OF_BACKUPS: Sequence[Row] = (
    Row("max_level", values.whole, "N",
        "The highest level: so many increments follow a full backup, and the next one is full again.",
        more="Without O(max_level), O(always_level) and O(restart_always_level) every backup is full.",
        line="backup: the number of increments after a full one", aliases=("max_backup_level",), verbs=BACKUP,
        media=(FILES, "cindernative")),
    Row("always_level", values.whole, "N",
        "Once this level is reached, every backup has it, each on the newest backup of the level below.",
        more="The value V(1) makes differential backups.", aliases=("always_backup_level",), verbs=BACKUP, media=(FILES,)),
    Row("restart_always_level", values.number, "DAYS",
        "Make a full backup so many days after the last full one.",
        aliases=("restart_always_backup",), verbs=BACKUP, media=(FILES, "cindernative")),
    Row("no_incremental", values.switch, "", "Make a full backup, whatever the options of levels are.", default=False, verbs=BACKUP),
    Row("min_age", values.number, "SECONDS",
        "Make no backup if the newest one in every storage is younger than this many seconds.",
        more="With M(freezer.backup.prune), keep leftovers of killed runs that are younger than this.",
        verbs=(*BACKUP, *ADMIN)),
)  # fmt: skip

STORED: Sequence[Row] = (
    Row("compression", values.Choice(*COMPRESSIONS, compatible=COMPATIBLE, zlib="gzip", lzma="xz"), "CODEC", "How new backups are compressed.",
        more=f"V(compatible) is V({COMPATIBLE}), which the oldest tools read. V(zlib) is V(gzip), and V(lzma) is V(xz). "
             "V(bzip2) and V(xz) take many times the time of V(zstd), and a Python that was built with C(bz2) or C(lzma).",
        otherwise=f"V(zstd), or V({COMPATIBLE}) where the host has neither Python's C(zstandard) nor the program C(zstd)",
        verbs=BACKUP, media=(FILES,)),
    Row("compression_level", values.whole, "N",
        f"The level of O(compression), {', '.join(map(_levels_of, LEVELS))}.", verbs=BACKUP, media=(FILES,)),
    Row("max_segment_size", values.size, "SIZE",
        "The size of a stored segment in bytes, or with a suffix K, M or G (powers of 1024); at least "
        f"V({values.LEAST_SEGMENT_BYTES // 1024}K).",
        short="-M", aliases=("max_seg_size",), default=DEFAULT_SEGMENT_BYTES, verbs=BACKUP),
    Row("block_level_size", values.size, "SIZE",
        "The size from which on an increment has only the blocks of a file that differ (1 MiB each), in bytes or with a suffix K, M or G.",
        default=DEFAULT_BLOCK_LEVEL_BYTES, verbs=BACKUP),
    Row("engine_name", values.Choice("tar", "rsync", "nova"), "ENGINE", "The engine of the archive.",
        more="V(rsync), of Freezer's documents, is the same as V(tar): both keep blocks of large files, see O(block_level_size).\n"
             "Freezer's documents have V(nova) for a server, which O(nova_inst_id) names.", short="-e",
        spelling="engine", aliases=("engine",), default="tar", verbs=EACH),
)  # fmt: skip
