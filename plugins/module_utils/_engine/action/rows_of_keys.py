# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the table of options (`spec`) that say what backups are sealed for, who signs them, and who is believed."""

from __future__ import annotations

from collections.abc import Sequence

from . import values
from .row import BACKUP, FILES, FIND, KEY, LOOK, MOUNT, READ, Row

METHODS = ("age", "aes-256-cfb", "none")
#: Of encryption_recipients, in the action key: what stands for the passphrase among those that are removed.
THE_PASSPHRASE = "passphrase"

SEALING: Sequence[Row] = (
    Row("encryption", values.Choice(*METHODS), "METHOD",
        "How new backups are encrypted: V(age) as files of C(age) for a key pair of the set, V(aes-256-cfb) as files of C(openssl enc).",
        more="V(aes-256-cfb) needs the passphrase of O(encrypt_pass_file) for each backup. With V(age) the host keeps the public half of "
             "the pair, and the container has the secret half, encrypted for the passphrase and for O(encryption_recipients).\n"
             "It needs the Python library C(cryptography).",
        otherwise="V(age) with O(encrypt_pass_file) or O(encryption_recipients), else V(none)",
        verbs=BACKUP, media=(FILES,)),
    Row("encrypt_pass_file", values.text, "FILE",
        "The file whose first line is the passphrase of encrypted backups, also of those by the agent of OpenStack's Freezer.",
        more="Only root and the user who runs this may be able to read or write it.",
        line="the file with the passphrase of encrypted backups", verbs=(*BACKUP, *FIND, "info", *READ, *MOUNT, *KEY), media=(FILES,), is_path=True),
    Row("encryption_recipients", values.texts, "KEY",
        "Public keys whose owners can open the backups: C(age1...) of C(age-keygen), or a line C(ssh-ed25519 ...) or C(ssh-rsa ...).",
        more="They count when the key pair of a set is made, with its first encrypted backup; later C(freezer-agent --action key) "
             "changes who can open it.",
        repeated=True, default=(), verbs=(*BACKUP, *KEY), media=(FILES,)),
    Row("identity_file", values.text, "FILE",
        "The file with a secret key that opens encrypted backups: one of C(age-keygen), or a private key of SSH.",
        more="Only root and the user who runs this may be able to read or write it.",
        verbs=(*FIND, "info", *READ, *MOUNT, *KEY), media=(FILES,), is_path=True, of_node=True),
    Row("signing_key", values.text, "PATH",
        "The private key of SSH (C(ssh-ed25519)) that new backups are signed with, or V(none).",
        more="The path has to be absolute. C(ssh-keygen -Y verify) checks the signatures, with the namespace C(freezer-backup).\n"
             "With V(none), and where C(cryptography) is not installed, a passphrase stands in for the key if there is one. It always "
             "does with O(encryption=aes-256-cfb).",
        otherwise="a key that is made in the state folder of the host, C(/var/lib/freezer-backup/signing_key)",
        verbs=BACKUP, media=(FILES,), of_node=True),
    Row("trusted_signers", values.text, "FILE",
        "The file with the keys that are believed, in the form of C(allowed_signers) of OpenSSH; the name of a line is that of the host.",
        more="With it a backup that is not signed, or by another key, or with a passphrase, is refused. Without it backups "
             "are read whoever wrote them, and RV(ignore:signed_by) of the result is null unless the host knows the key or the passphrase.",
        verbs=(*FIND, *LOOK, *MOUNT), media=(FILES,), is_path=True, of_node=True),
    Row("recorded_manifests", values.texts, "ID:SHA256",
        "The backups that are on record with an API: of each its id, a colon, and the SHA-256 of its manifest (C(manifest_sha256) of the "
        "record).",
        more="With it a backup that is on record is refused if its manifest is another one, whoever has signed it. One that is not on record "
             "is refused unless it is signed by one who is believed: of O(trusted_signers), or without these by this host "
             "itself, or with the passphrase.\n"
             "A restore in a job that the playbook C(freezer.backup.run_job) runs gets it from the records of the API.",
        repeated=True, default=(), verbs=(*FIND, *LOOK, *MOUNT), media=(FILES,)),
    Row("allow_keys_in_source", values.switch, "",
        "Back up also if O(encrypt_pass_file) or O(signing_key) lies in what is backed up.",
        more="A key that is only in the backup that it opens is lost, and one in a backup that is not encrypted is everyone's.",
        default=False, verbs=BACKUP, media=(FILES,), of_node=True),
)  # fmt: skip

KEYS: Sequence[Row] = (
    Row("key", values.Choice("list", "add", "remove", "export"), "WHAT",
        "What is done with the key pairs of a set: V(list) them, V(add) or V(remove) who can open them, or V(export) the secret halves "
        "as they are stored, encrypted.",
        more="V(add) takes O(encryption_recipients) and O(new_pass_file), V(remove) takes O(encryption_recipients), among which "
             "V(passphrase) stands for the passphrase. No backup is written anew, and who has opened one before still can.",
        default="list", verbs=KEY, media=(FILES,)),
    Row("new_pass_file", values.text, "FILE", "The file whose first line is a new passphrase, which takes the place of the one before.",
        verbs=KEY, media=(FILES,), is_path=True, of_node=True),
)  # fmt: skip
