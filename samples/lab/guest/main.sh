# Process 1 of the guest: runs the scenarios that /lab/out/jobs names, each recorded into a directory, then powers off.
# A job is SCENARIO or SCENARIO:VARIANT, the recorder is in /lab/out/recorder.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb
exec < /dev/null > /dev/console 2>&1
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
ln -s /proc/self/fd /dev/fd
hostname lab

guest=/lab/project/samples/lab/guest
read -r recorder < /lab/out/recorder
export ko=/lab/modules
dmesg --clear
while read -r job; do
	scenario=${job%%:*}
	export variant=${job#"$scenario"} fixed=0
	variant=${variant#:}
	[ "$variant" != fixed ] || fixed=1
	directory=/lab/out/$scenario${variant:+-$variant}
	mkdir -p "$directory"
	echo "lab: $job"
	sh "$guest/record-$recorder.sh" "$guest/scenarios/$scenario.sh" "$directory"
	dmesg > "$directory/dmesg.txt"
	dmesg --clear
	sync
done < /lab/out/jobs
echo "lab: done after $(cut -d ' ' -f 1 /proc/uptime) s"
echo o > /proc/sysrq-trigger
sleep 60
