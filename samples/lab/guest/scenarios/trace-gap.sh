# The recorder does not come to read, and its buffer, a small one, is overwritten: events of the opens in between are lost.
# Fixed: it reads all the time. Lucky: what happens in between still fits.
# module: teach_device
opens() { for _ in $(seq "$1"); do : < /dev/teach_device; done; }
recorder=$(pidof node || pidof grep)
for instance in /sys/kernel/tracing/instances/*; do echo 64 > "$instance/buffer_size_kb"; done
insmod $ko/teach_device.ko
opens 3
[ $fixed = 1 ] || kill -STOP $recorder
if [ "$variant" = lucky ]; then opens 3; else opens 1000; fi
kill -CONT $recorder
opens 3
rmmod teach_device
