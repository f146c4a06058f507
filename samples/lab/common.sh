# What build and run share. Sourced with $lab set to this directory.
project=$(cd "$lab/../.." && pwd)
cache=${MODLIFE_LAB:-$project/.lab}

die() {
	echo "${0##*/}: $*" >&2
	exit 2
}

# What a kernel is called here, and the Debian release that has it.
release_of() {
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	7.2) echo forky ;;
	*) die "no kernel $1; there are 5.10, 6.1, 6.12 and 7.2" ;;
	esac
}

need() {
	for tool; do
		command -v "$tool" > /dev/null || die "$tool is missing: apt-get install $packages"
	done
}
packages='mmdebstrap cpio zstd e2fsprogs qemu-system-x86'
PATH=$PATH:/usr/sbin:/sbin
