#!/bin/sh
# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs once inside the root file system of the machine: installs the packages that it is given, and makes it boot fast.

set -eu
export DEBIAN_FRONTEND=noninteractive

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
cat >/etc/dpkg/dpkg.cfg.d/lab <<'END'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
END
# What the kernel needs until it has its disk, and no more: emulated, every megabyte is unpacked slowly.
mkdir -p /etc/initramfs-tools/conf.d
printf 'MODULES=list\nCOMPRESS=zstd\n' >/etc/initramfs-tools/conf.d/lab
printf 'virtio_pci\nvirtio_blk\next4\n' >/etc/initramfs-tools/modules
apt-get -qq -o Acquire::Languages=none update
apt-get -qq -y -o APT::Install-Recommends=false -o Dpkg::Options::=--force-confold install "$@"
rm -f /usr/sbin/policy-rc.d
update-initramfs -c -k all 2>/dev/null || update-initramfs -u -k all

cat >/usr/local/sbin/lab-boot <<'END'
#!/bin/sh
set -eu
hostname machine1
modprobe virtio_net
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
mkfs.ext4 -q /dev/vdb
mkdir -p /srv/data
mount /dev/vdb /srv/data
END
chmod 0755 /usr/local/sbin/lab-boot
cat >/etc/systemd/system/lab-boot.service <<'END'
[Unit]
Description=name, network and file system of the machine
After=systemd-udevd.service local-fs.target
Before=ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-boot
ExecStartPost=/bin/touch /run/lab-ready
[Install]
WantedBy=multi-user.target
END

echo machine1 >/etc/hostname
echo '127.0.0.1 localhost machine1' >/etc/hosts
: >/etc/fstab
printf 'virtio_net\nvirtio_rng\nvirtio_console\n' >/etc/modules-load.d/lab.conf
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' >/etc/systemd/journald.conf.d/lab.conf
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
echo 'UseDNS no' >/etc/ssh/sshd_config.d/lab.conf
sed -i '/pam_motd\|pam_mail/s/^session/#session/' /etc/pam.d/sshd
systemctl -q enable lab-boot.service ssh.service qemu-guest-agent.service
systemctl -q set-default multi-user.target
systemctl -q mask systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount systemd-update-utmp.service systemd-binfmt.service systemd-pstore.service \
    systemd-journal-flush.service systemd-random-seed.service getty@tty1.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@configfs.service modprobe@fuse.service 2>/dev/null

: >/etc/machine-id
apt-get -qq clean
rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
