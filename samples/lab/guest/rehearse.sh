# rehearse.sh SCRIPT: loads and unloads SCRIPT's modules, without their bug, before it runs SCRIPT.
# A recorder that probes a module when it is loaded is too late for what its first init starts; before the init of
# the next load the kernel sets the same probes itself.
script=$1
modules=$(sed -n 's/^# module: //p' "$script")
probes() { wc -l < /sys/kernel/tracing/kprobe_events; }

loaded=
before=$(probes)
for module in $modules; do
	if grep -q parmtype=fixed "$ko/$module.ko"; then insmod "$ko/$module.ko" fixed=1; else insmod "$ko/$module.ko"; fi
	loaded="$module $loaded"
done
# Until the recorder has seen them and set its probes, if it sets any: on a busy machine that takes it a while.
for second in 1 2 3 4 5; do [ "$(probes)" != "$before" ] || sleep 1; done
until [ "$(probes)" = "$before" ]; do
	before=$(probes)
	sleep 2
done
rmmod $loaded
. "$script"
