# record-leftovers-trace-cmd.sh SCRIPT DIRECTORY: the same as record-leftovers.sh of --backend trace-cmd, and what is left
# when trace-cmd is killed, alone or with modlife: those of its processes that read have nobody then who ends them.
backend=trace-cmd
. "${0%/*}/record-leftovers.sh"
killed() {
	modlife capture --backend trace-cmd $modules -o "$directory/$1" 2> "$directory/$1.txt" &
	until grep -q recording "$directory/$1.txt"; do sleep 0.1; done
	kill -KILL $(pgrep -o trace-cmd) ${2:+$(pidof "$2")}
	wait $!
	while pidof trace-cmd; do sleep 0.1; done
}
killed recorder
left recorder
killed both node
modlife capture --cleanup
left both
