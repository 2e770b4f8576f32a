#!/bin/sh
# Runs in the test host once per build: puts the installed tree in its place, as a package would, and starts the service.
# usage: install.sh TREE
set -e
tree=$1
cp -a --no-preserve=ownership,context "$tree/." /
(cd "$tree" && find . -mindepth 1 | sed 's|^\.||') >/var/lib/cloister-installed
if [ -e /sys/fs/selinux/enforce ]; then xargs -d '\n' restorecon -F </var/lib/cloister-installed; fi
systemd-sysusers cloister.conf
systemd-tmpfiles --create cloister.conf
systemctl daemon-reload
systemctl enable --now --quiet cloisterd.socket cloisterd-ro.socket cloisterd.service cloister-guests.service
# QEMU is probed once: what it can do is kept on disk, and no case has to wait for it.
virsh -c 'qemu+unix:///system?socket=/run/cloister/cloister-sock' domcapabilities --virttype qemu >/dev/null
