# shellcheck shell=bash
# Kernel, drivers and busybox for an initramfs of the lab, from the release's own packages.  Sourced (after lib.sh) by
# installer-initramfs and seeder.  No root needed; everything is downloaded by apt, nothing is installed.

# kernel_package [NAME] - the package that carries the kernel, behind the release's meta package
kernel_package() {
    local meta dep
    for meta in ${1:+"$1"} linux-image-cloud-amd64 linux-image-amd64 linux-image-virtual linux-image-generic; do
        dep=$(apt-cache depends "$meta" 2>/dev/null | awk '/Depends: linux-image/{print $2; exit}')
        [ -z "$dep" ] || { echo "$dep"; return 0; }
    done
    die "no kernel package found (tried linux-image-cloud-amd64 and its like); run tests/lab/install first"
}

# unpack_kernel DIR [PACKAGE] - kernel and drivers below DIR; their version into kver
unpack_kernel() {
    local dir=$1 pkg modules fetch
    pkg=$(kernel_package "${2:-}")
    fetch=("$pkg")
    # Ubuntu keeps the drivers in a package of their own
    modules=${pkg/linux-image-/linux-modules-}; modules=${modules/-unsigned/}
    ! apt-cache show "$modules" >/dev/null 2>&1 || fetch+=("$modules")
    fetch_deb "$dir" "${fetch[@]}" || die "could not download ${fetch[*]}"
    local lib=$dir/lib/modules; [ -d "$lib" ] || lib=$dir/usr/lib/modules
    [ -d "$dir/lib" ] || ln -s usr/lib "$dir/lib"
    kver=$(ls "$lib")
    depmod -b "$dir" "$kver"
}

# pack_drivers DIR INITRD MODULE… - these and what they need, flat, in the order to load them (lib/modules/order)
pack_drivers() {
    local dir=$1 r=$2 ko name m; shift 2
    mkdir -p "$r/lib/modules"
    for m in "$@"; do
        modprobe -d "$dir" -S "$kver" --show-depends "$m" 2>/dev/null | awk '/^insmod/{print $2}' || true
    done | awk '!seen[$0]++' | while read -r ko; do
        name=$(basename "$ko")
        case $ko in         # busybox insmod takes plain modules only
        *.xz)  name=${name%.xz};  xz -dc "$ko" >"$r/lib/modules/$name" ;;
        *.zst) name=${name%.zst}; zstd -qdc "$ko" >"$r/lib/modules/$name" ;;
        *)     cp "$ko" "$r/lib/modules/" ;;
        esac
        echo "$name" >>"$r/lib/modules/order"
    done
}

# pack_busybox INITRD
pack_busybox() {
    local busybox; busybox=$(command -v busybox) || die "no busybox (package busybox-static)"
    ! ldd "$busybox" >/dev/null 2>&1 || die "$busybox is not static: install busybox-static"
    mkdir -p "$1"/{bin,dev,proc,sys,tmp,etc}
    cp "$busybox" "$1/bin/busybox"
}

# pack_initrd INITRD FILE
pack_initrd() { ( cd "$1" || exit; find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -n9 ) >"$2"; }
