# No bug: tasks come and go that have the device open for a moment, as udev's do, and rmmod is tried until it succeeds.
# module: teach_device
insmod $ko/teach_device.ko
for _ in 1 2 3 4 5 6; do (sleep 0.2 < /dev/teach_device) & sleep 0.1; done
until rmmod teach_device; do sleep 0.1; done
