# record-leftovers.sh SCRIPT DIRECTORY: how many instances and probes modlife capture leaves in tracefs, by the way it
# ends, into DIRECTORY/left.txt; $backend records.
script=$1 directory=$2 backend=${backend:-tracefs}
. /lab/project/samples/lab/guest/modlife.sh
tracing=/sys/kernel/tracing
left() {
	echo "$1: $({ ls $tracing/instances; cat $tracing/kprobe_events; } | wc -l)" >> "$directory/left.txt"
}
# In the background until it records, then ended with the signal $1.
interrupted() {
	modlife capture --backend $backend $modules -o "$directory/$1" 2> "$directory/$1.txt" &
	until grep -q recording "$directory/$1.txt"; do sleep 0.1; done
	sh "$script"
	kill -"$1" $(pidof node)
	wait $!
}

modlife capture --backend $backend $modules -o "$directory/success" -- sh "$script"
left success
modlife capture --backend $backend $modules -o "$directory/failure" -- false
left failure
interrupted INT
left INT
interrupted KILL
left KILL
while pidof trace-cmd; do sleep 0.1; done # it comes to its end by itself
modlife capture --cleanup
left cleanup
