# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
"""Nova's fake hypervisor with a real file as the disk of every server, so that snapshots are real bytes in Glance.

It switches attached NFS volumes to the overlays that Cinder makes, as libvirt does. A server whose metadata has
``lab_quiesce = refuse`` has no guest agent that answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess

import nova.conf
from nova import exception, objects
from nova.compute import task_states
from nova.image import glance
from nova.virt import fake
from nova.volume import cinder

CONF = nova.conf.CONF


class LabDriver(fake.FakeDriver):
    """The hypervisor."""

    def _disk(self, instance):
        return os.path.join(CONF.instances_path, instance.uuid, "disk")

    def init_host(self, host):
        """Remember the servers of the last run, which the fake hypervisor forgets."""
        super().init_host(host)
        from nova import context

        for instance in objects.InstanceList.get_by_host(context.get_admin_context(), host):
            if os.path.exists(self._disk(instance)):
                self.instances[instance.uuid] = fake.FakeInstance(
                    instance.name, instance.power_state or 1, instance.uuid
                )

    def spawn(self, context, instance, image_meta, *arguments, **options):
        path = self._disk(instance)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if instance.image_ref:
            glance.API().download(context, instance.image_ref, dest_path=path)
        else:
            open(path, "ab").close()
        return super().spawn(context, instance, image_meta, *arguments, **options)

    def snapshot(self, context, instance, image_id, update_task_state):
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        images = glance.API()
        image = images.get(context, image_id)
        base = instance.system_metadata
        metadata = {
            "name": image["name"],
            "disk_format": base.get("image_disk_format", "raw"),
            "container_format": base.get("image_container_format", "bare"),
            "properties": {
                "kernel_id": instance.kernel_id or "",
                "image_location": "snapshot",
                "image_state": "available",
                "owner_id": instance.project_id,
            },
        }
        update_task_state(task_state=task_states.IMAGE_UPLOADING, expected_state=task_states.IMAGE_PENDING_UPLOAD)
        with open(self._disk(instance), "rb") as disk:
            images.update(context, image_id, metadata, disk, purge_props=False)

    def quiesce(self, context, instance, image_meta):
        if instance.metadata.get("lab_quiesce") == "refuse":
            raise exception.QemuGuestAgentNotEnabled()
        with open(os.path.join(os.path.dirname(self._disk(instance)), "quiesced"), "a") as log:
            log.write("quiesce\n")

    def unquiesce(self, context, instance, image_meta):
        with open(os.path.join(os.path.dirname(self._disk(instance)), "quiesced"), "a") as log:
            log.write("unquiesce\n")

    def destroy(self, context, instance, *arguments, **options):
        shutil.rmtree(os.path.dirname(self._disk(instance)), ignore_errors=True)
        return super().destroy(context, instance, *arguments, **options)

    def _attached(self, context, instance, volume_id):
        mapping = objects.BlockDeviceMapping.get_by_volume_and_instance(context, volume_id, instance.uuid)
        connection = json.loads(mapping.connection_info)
        export = hashlib.md5(connection["data"]["export"].encode()).hexdigest()
        return mapping, connection, os.path.join(CONF.libvirt.nfs_mount_point_base, export)

    def volume_snapshot_create(self, context, instance, volume_id, create_info):
        mapping, connection, _folder = self._attached(context, instance, volume_id)
        connection["data"].update(name=create_info["new_file"], format="qcow2")
        mapping.connection_info = json.dumps(connection)
        mapping.save()
        cinder.API().update_snapshot_status(context, create_info["snapshot_id"], "creating")

    def volume_snapshot_delete(self, context, instance, volume_id, snapshot_id, delete_info):
        _mapping, connection, folder = self._attached(context, instance, volume_id)

        def qemu(*words):
            return subprocess.run(["qemu-img", *words], cwd=folder, check=True, capture_output=True, text=True).stdout

        def format_of(name):
            return json.loads(qemu("info", "-U", "--output=json", name))["format"]

        top, base = delete_info["file_to_merge"], delete_info["merge_target_file"]
        if base is None:
            # The active file takes in the one below it.
            below = ("-F", format_of(top), "-b", top) if top else ("-b", "")
            qemu("rebase", "-f", "qcow2", *below, connection["data"]["name"])
        else:
            # What is on top goes down into its base, and the overlay on it gets the base.
            qemu("commit", "-f", "qcow2", "-d", top)
            for name in os.listdir(folder):
                if name.endswith(".info") or volume_id not in name:
                    continue
                found = json.loads(qemu("info", "-U", "--output=json", name)).get("backing-filename", "")
                if os.path.basename(found) == top:
                    qemu("rebase", "-u", "-f", "qcow2", "-F", format_of(base), "-b", base, name)
        cinder.API().update_snapshot_status(context, snapshot_id, "deleting")
