# rmmod's own stdin holds the object that exit waits for. With .owner rmmod is refused instead, and let in later.
# module: teach_stuck
# probe: teach_stuck:teach_stuck_exit teach_stuck:teach_stuck_open teach_stuck:teach_stuck_close teach_stuck:teach_stuck_release
echo 2 > /proc/sys/kernel/hung_task_timeout_secs
insmod $ko/teach_stuck.ko fixed=$fixed
rmmod teach_stuck < /dev/teach_stuck &
sleep 6
# Something else goes on meanwhile.
insmod $ko/teach_device.ko
rmmod teach_device
[ $fixed = 0 ] || rmmod teach_stuck
echo 0 > /proc/sys/kernel/hung_task_timeout_secs
