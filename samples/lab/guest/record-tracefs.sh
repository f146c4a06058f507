# record-tracefs.sh SCRIPT DIRECTORY: runs SCRIPT and records it with nothing but a shell, into DIRECTORY/trace.txt.
# SCRIPT says what is worth a probe beyond the life of modules:
#   # probe: MODULE:FUNCTION     entry and return, also of a module that is not loaded yet; without MODULE: of the kernel
#   # event: SYSTEM/EVENT        an event of the kernel
#   # buffer: KB                 too little of it, unless fixed
script=$1 directory=$2
tracing=/sys/kernel/tracing
instance=$tracing/instances/lab

asked() {
	sed -n "s/^# $1: //p" "$script" | tr ' ' '\n'
}
define() {
	echo "$1" >> $tracing/kprobe_events || echo "not probed: $1" >> "$directory/notes.txt"
}

define 'p:lab/free_module free_module name=+24($arg1):string'
define 'p:lab/try_module_get try_module_get name=+24($arg1):string mod=$arg1:x64'
define 'p:lab/module_put_entry module_put name=+24($arg1):string mod=$arg1:x64'
for place in $(asked probe); do
	define "p:lab/${place#*:} $place"
	define "r:lab/${place#*:}_ret $place"
done
# func is a symbol for people; funcaddr can be compared: callbacks of modules only.
for function in call_rcu call_rcu_hurry; do
	grep -q "^$function\$" $tracing/available_filter_functions || continue
	define "p:lab/$function $function head=\$arg1 func=\$arg2:symbol funcaddr=\$arg2:x64"
done

mkdir $instance
buffer=$(asked buffer)
[ "$fixed" = 0 ] || buffer=
echo "${buffer:-8192}" > $instance/buffer_size_kb
echo mono > $instance/trace_clock
# Each write to the shared directory calls netfs, which would be recorded, which would be written: for ever.
grep --line-buffered --invert-match netfs < $instance/trace_pipe > "$directory/trace.txt" &
reader=$!
for event in try_module_get module_put_entry; do echo 'mod != 0' > $instance/events/lab/$event/filter; done
for filter in $instance/events/lab/call_rcu*/filter; do echo 'funcaddr >= 0xffffffffc0000000' > "$filter"; done
for event in module syscalls/sys_enter_delete_module syscalls/sys_exit_delete_module $(asked event) lab; do
	echo 1 > "$instance/events/$event/enable"
done

sh "$script"

# The reader is done when it has come to this line.
echo 'the end' > $instance/trace_marker
until grep -q 'tracing_mark_write: the end' "$directory/trace.txt"; do sleep 0.1; done
kill $reader
wait $reader
echo 0 > $instance/events/enable
rmdir $instance
echo > $tracing/kprobe_events
