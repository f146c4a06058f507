# rmmod -f while a task has the device open, to the end. Fixed: the task closes it first. Idle: nobody ever opens it.
# module: teach_device
insmod $ko/teach_device.ko
if [ "$variant" = idle ]; then
	rmmod -f teach_device
	exit
fi
sleep 60 < /dev/teach_device &
sleep 0.3
if [ $fixed = 1 ]; then
	kill $!
	wait $!
	rmmod teach_device
else
	rmmod -f teach_device
fi
