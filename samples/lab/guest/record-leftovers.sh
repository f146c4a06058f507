# record-leftovers.sh SCRIPT DIRECTORY: how many instances and probes modlife capture leaves in tracefs, by the way it
# ends, into DIRECTORY/left.txt.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
tracing=/sys/kernel/tracing
left() {
	echo "$1: $({ ls $tracing/instances; cat $tracing/kprobe_events; } | wc -l)" >> "$directory/left.txt"
}
# In the background until it records, then ended with the signal $1.
interrupted() {
	modlife capture $modules -o "$directory/$1" 2> "$directory/$1.txt" &
	until grep -q recording "$directory/$1.txt"; do sleep 0.1; done
	sh "$script"
	kill -"$1" $(pidof node)
	wait $!
}

modlife capture $modules -o "$directory/success" -- sh "$script"
left success
modlife capture $modules -o "$directory/failure" -- false
left failure
interrupted INT
left INT
interrupted KILL
left KILL
modlife capture --cleanup
left cleanup
