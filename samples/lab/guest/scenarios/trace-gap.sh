# The recorder stands still while a device is opened a thousand times, and its small buffer is overwritten: events are
# lost. Fixed: the buffer is large. Lucky: what happens meanwhile fits even into the small one.
# module: teach_device
# buffer: 128
opens() { for _ in $(seq "$1"); do : < /dev/teach_device; done; }
recorder=$(pidof node || pidof grep)
insmod $ko/teach_device.ko
opens 3
kill -STOP $recorder
if [ "$variant" = lucky ]; then opens 3; else opens 1500; fi
kill -CONT $recorder
opens 3
rmmod teach_device
