#!/bin/sh
# Copyright (c) 2026 The freezer.backup authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs once inside the root file system of the guests: installs the packages that it is given, and makes it boot fast.

set -eu
export DEBIAN_FRONTEND=noninteractive

# No service starts here, and no cluster is made: a test's databases are its own.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
cat >/etc/dpkg/dpkg.cfg.d/lab <<'END'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/info/*
END
apt-get -qq -o Acquire::Languages=none update
apt-get -qq -y -o APT::Install-Recommends=false install "$@"
update-ca-certificates
rm -f /usr/sbin/policy-rc.d

cat >/usr/local/sbin/lab-boot <<'END'
#!/bin/sh
# Name and address come from the kernel's command line; the volume is made where there is none yet.
set -eu
for word in $(cat /proc/cmdline); do
    case $word in
    lab.host=*) name=${word#*=} ;;
    lab.address=*) address=${word#*=} ;;
    esac
done
hostname "$name"
echo "$name" >/etc/hostname
ip link set lo up
ip addr add "$address" dev vec0
ip link set vec0 up
if ! vgchange -qq -a y data 2>/dev/null; then
    pvcreate -qq -y /dev/ubdb
    vgcreate -qq -y data /dev/ubdb
    lvcreate -qq -y -W n -L 384M -n srv data
    mkfs.ext4 -q -E nodiscard /dev/data/srv
fi
mkdir -p /srv/data
mount /dev/data/srv /srv/data
END
chmod 0755 /usr/local/sbin/lab-boot
cat >/etc/systemd/system/lab-boot.service <<'END'
[Unit]
Description=name, network and volume of the guest
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

: >/etc/fstab
# Only what tests use is announced to udev at boot: a hundred terminals are not.
mkdir -p /etc/systemd/system/systemd-udev-trigger.service.d
cat >/etc/systemd/system/systemd-udev-trigger.service.d/lab.conf <<'END'
[Service]
ExecStart=
ExecStart=udevadm trigger --action=add --subsystem-match=block --subsystem-match=net --subsystem-match=misc
END
{
    echo '127.0.0.1 localhost'
    for number in 1 2 3 4 5 6 7 8 9; do echo "10.213.43.$((10 + number)) guest$number"; done
} >/etc/hosts
# What LVM's monitor would do takes half the time of every call here, and activation after boot is lab-boot's.
printf 'activation {\n    monitoring = 0\n}\n' >/etc/lvm/lvmlocal.conf
ln -s /dev/null /etc/udev/rules.d/69-lvm.rules
printf 'dm-mod\ndm-snapshot\ndm-thin-pool\next4\nxfs\nbtrfs\n' >/etc/modules-load.d/lab.conf
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\n' >/etc/systemd/journald.conf.d/lab.conf
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
echo 'UseDNS no' >/etc/ssh/sshd_config.d/lab.conf
sed -i '/pam_motd\|pam_mail/s/^session/#session/' /etc/pam.d/sshd
systemctl -q enable lab-boot.service ssh.service
systemctl -q disable mariadb.service postgresql.service
systemctl -q set-default multi-user.target
systemctl -q mask systemd-timesyncd.service systemd-networkd.service systemd-networkd.socket \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    sys-fs-fuse-connections.mount systemd-update-utmp.service systemd-binfmt.service systemd-pstore.service \
    mariadb.socket lvm2-monitor.service systemd-logind.service modprobe@loop.service systemd-remount-fs.service \
    systemd-journal-flush.service systemd-random-seed.service getty@tty1.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@configfs.service modprobe@fuse.service 2>/dev/null

: >/etc/machine-id
apt-get -qq clean
rm -rf /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
