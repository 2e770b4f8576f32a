# Sourced by ./demo and the tests: a Linux kernel, and an initramfs of busybox that ends in a shell on the serial console.
# Both come from Debian's packages linux-image-amd64 and busybox-static.

# Prints the path of the newest kernel image on this machine.
guest_kernel() { ls -v /boot/vmlinuz-*-amd64 2>/dev/null | tail -n 1; }

# guest_initramfs OUT [PROGRAM…]: writes the archive; programs come with the libraries that they need. Its prompt is
# "cloister-guest# ", on ttyS0 or the terminal that the kernel's command line names (cloister.tty=tty1). The power button
# powers it off; with the guest agent's channel (and qemu-ga among the programs) the agent runs.
guest_initramfs() {
    archive=$1
    shift
    kernel=$(guest_kernel)
    [ -n "$kernel" ] || { echo "no kernel in /boot: install linux-image-amd64" >&2; return 1; }
    modules=/lib/modules/${kernel#/boot/vmlinuz-}
    tree=$(mktemp -d) || return 1
    mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/modules"
    cp /bin/busybox "$tree/bin/busybox" || return 1
    order=
    for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover \
        net_failover virtio_net virtio_console button evdev pvpanic pvpanic-mmio pvpanic-pci; do
        file=$(find "$modules" -name "$module.ko" | head -n 1)
        [ -n "$file" ] && cp "$file" "$tree/modules/" && order="$order $module"
    done
    for program; do
        cp "$program" "$tree/bin/" || return 1
        for library in $(ldd "$program" | grep -o '/[^ ]*'); do
            mkdir -p "$tree${library%/*}" && cp "$library" "$tree$library" || return 1
        done
    done
    cat >"$tree/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin PS1='cloister-guest# ' HOME=/
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev 2>/dev/null
for m in$order; do insmod /modules/\$m.ko 2>/dev/null; done
echo; echo "Linux \$(uname -r) in a confined guest: disks: \$(ls /sys/block | grep -E '^[vs]d' | tr '\n' ' ') cards: \$(ls /sys/class/net | grep -v '^lo\$' | tr '\n' ' ')"
mkdir -p /run /etc /var/run /sbin; hostname cloister-guest
for event in /dev/input/event*; do
    grep -q 'Power Button' /sys/class/input/\${event##*/}/device/name && { head -c 24 \$event >/dev/null && poweroff -f; } &
done
for port in /sys/class/virtio-ports/*; do
    [ "\$(cat \$port/name 2>/dev/null)" = org.qemu.guest_agent.0 ] && [ -x /bin/qemu-ga ] &&
        qemu-ga -m virtio-serial -p /dev/\${port##*/} -t /run >/run/qemu-ga.log 2>&1 &
done
printf '#!/bin/sh\\nexec poweroff -f\\n' >/sbin/shutdown && chmod 755 /sbin/shutdown # what the agent calls
tty=ttyS0
for word in \$(cat /proc/cmdline); do case \$word in cloister.tty=*) tty=\${word#*=} ;; esac; done
exec setsid sh -c "exec sh -i </dev/\$tty >/dev/\$tty 2>&1"
INIT
    chmod 755 "$tree/init"
    (cd "$tree" && find . | cpio -o -H newc --quiet) | gzip -1 >"$archive"
    status=$?
    rm -rf "$tree"
    return $status
}
