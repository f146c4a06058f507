# rehearse.sh SCRIPT: loads and unloads SCRIPT's modules, without their bug, before it runs SCRIPT.
# A recorder that probes a module when it is loaded is too late for what its first init starts; before the init of
# the next load the kernel sets the same probes itself.
script=$1
modules=$(sed -n 's/^# module: //p' "$script")
loaded=
for module in $modules; do
	if grep -q parmtype=fixed "$ko/$module.ko"; then insmod "$ko/$module.ko" fixed=1; else insmod "$ko/$module.ko"; fi
	loaded="$module $loaded"
done
sleep 2
rmmod $loaded
. "$script"
