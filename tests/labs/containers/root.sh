#!/bin/sh
# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs once inside the root file system of the hosts: what a container has instead of a machine's boot.

set -eu

cat >/usr/local/sbin/container-init <<'END'
#!/bin/sh
# The container's own hierarchy of cgroups becomes writable for systemd.
mount -o remount,rw /sys/fs/cgroup 2>/dev/null || :
exec /sbin/init "$@"
END
chmod 0755 /usr/local/sbin/container-init

update-ca-certificates
printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >/etc/pip.conf

rm -f /etc/ssh/ssh_host_*
ssh-keygen -A
systemctl enable ssh.service
systemctl mask systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
    systemd-udevd-kernel.socket sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    dev-hugepages.mount systemd-remount-fs.service systemd-modules-load.service systemd-timesyncd.service \
    getty.target console-getty.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer

: >/etc/machine-id
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
# Nobody takes an empty list of packages for a fresh one.
touch -d @0 /var/lib/apt/lists
