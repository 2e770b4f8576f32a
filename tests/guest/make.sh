# Sourced by ./demo and the tests: a Linux kernel, and an initramfs of busybox that ends in a shell on the serial console.
# Both come from Debian's packages linux-image-amd64 and busybox-static.

# Prints the path of the newest kernel image on this machine.
guest_kernel() { ls -v /boot/vmlinuz-*-amd64 2>/dev/null | tail -n 1; }

# guest_initramfs OUT: writes the archive. Its prompt is "cloister-guest# ".
guest_initramfs() {
    kernel=$(guest_kernel)
    [ -n "$kernel" ] || { echo "no kernel in /boot: install linux-image-amd64" >&2; return 1; }
    modules=/lib/modules/${kernel#/boot/vmlinuz-}
    tree=$(mktemp -d) || return 1
    mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/modules"
    cp /bin/busybox "$tree/bin/busybox" || return 1
    order=
    for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk failover \
        net_failover virtio_net; do
        file=$(find "$modules" -name "$module.ko" | head -n 1)
        [ -n "$file" ] && cp "$file" "$tree/modules/" && order="$order $module"
    done
    cat >"$tree/init" <<INIT
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin PS1='cloister-guest# ' HOME=/
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev 2>/dev/null
for m in$order; do insmod /modules/\$m.ko 2>/dev/null; done
echo; echo "Linux \$(uname -r) in a confined guest: disks: \$(ls /sys/block | grep -E '^[vs]d' | tr '\n' ' ') cards: \$(ls /sys/class/net | grep -v '^lo\$' | tr '\n' ' ')"
exec setsid sh -c 'exec sh -i </dev/ttyS0 >/dev/ttyS0 2>&1'
INIT
    chmod 755 "$tree/init"
    (cd "$tree" && find . | cpio -o -H newc --quiet) | gzip -1 >"$1"
    status=$?
    rm -rf "$tree"
    return $status
}
