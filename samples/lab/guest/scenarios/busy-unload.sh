# An unload is tried while a task has the device open, and again when it has closed it. Fixed: only then. Held: it never does.
# rmmod looks at the count first and does not even ask the kernel, so the system call is made here.
# module: teach_device
unload() { perl -e 'exit syscall(176, $ARGV[0], 0x800) != 0' teach_device; }
insmod $ko/teach_device.ko
sleep 60 < /dev/teach_device &
sleep 0.3
[ $fixed = 1 ] || unload
[ "$variant" != held ] || exit 0
kill $!
wait $!
unload
