#!/bin/sh
# record.sh - run modlife's bpftrace program the way this machine needs it.
#
# USAGE: record.sh [-f json|text] [-o FILE] [FUNCTION...]      ^C or SIGTERM ends it
#
#   record.sh > capture.json
#   record.sh -o capture.json mydrv_obj_release mydrv_exit
#
# The functions are probed on entry and return; their modules must be loaded.
#
# What it adds to `bpftrace modlife.bt`: the program this bpftrace can run, without the probes this kernel lacks
# (one missing function makes bpftrace refuse the whole program); where the preemption count lives, without which
# the context of an event is unknown; where the text of each module lies; a larger buffer; an end that loses
# nothing. JSON is the default because bpftrace 0.24 and later report the losses of a text capture on stderr.

program=$(dirname "$0")/modlife.bt
tracefs=/sys/kernel/tracing
[ -e "$tracefs/events" ] || tracefs=/sys/kernel/debug/tracing
functions=$tracefs/available_filter_functions

fail() {
	echo "record.sh: $1" >&2
	exit 2
}

# at_least VERSION MINIMUM
at_least() {
	[ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

format=json
while getopts f:o: option; do
	case $option in
	f) format=$OPTARG ;;
	o) exec > "$OPTARG" || exit 2 ;;
	*) fail 'usage: record.sh [-f json|text] [-o FILE] [FUNCTION...]' ;;
	esac
done
shift $((OPTIND - 1))

version=$(bpftrace --version 2>/dev/null | sed -n 's/^bpftrace v*\([0-9][0-9.]*\).*/\1/p')
[ -n "$version" ] || fail 'no bpftrace here: install it, or record with trace-cmd'
at_least "$version" 0.17 || fail "bpftrace $version is too old, 0.17 is needed: record with trace-cmd"
[ -r "$functions" ] || fail "cannot read $functions: try as root"
[ -e /sys/kernel/btf/vmlinux ] || fail 'this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): record with trace-cmd'
at_least "$version" 0.19 || program=$(dirname "$0")/modlife-0.17.bt

module_of() {
	awk -v name="$1" '$1 == name { gsub(/[][]/, "", $2); print $2; found = 1; exit } END { exit !found }' "$functions"
}
for function; do
	module_of "$function" > /dev/null || fail "$function cannot be probed: it is not in $functions (is its module loaded?)"
done

# The per-CPU preemption count, on x86-64 only. A realtime kernel does not count softirqs in it.
count=0 offsets=0
case "$(uname -m) $(uname -v)" in
*PREEMPT_RT*) ;;
x86_64*)
	count=$(awk '$3 == "pcpu_hot" { hot = "(0x" $1 " + 8)" }
		$3 == "__preempt_count" { own = "0x" $1 }
		END { print own ? own : hot ? hot : 0 }' /proc/kallsyms)
	offsets=$(awk '$3 == "__per_cpu_offset" { print "0x" $1; exit }' /proc/kallsyms)
	case $offsets in '' | 0x0000000000000000) count=0 offsets=0 ;; esac
	;;
esac

# struct module got its `mem` array in 6.4.
if at_least "$(uname -r)" 6.4; then
	text='$m->mem[0].base' size='$m->mem[0].size'
else
	text='$m->core_layout.base' size='$m->core_layout.text_size'
fi

# The modules that are here already. Those to come say where they are when they come.
modules() {
	awk 'tolower($2) == "t" && $4 ~ /^\[/ && $4 !~ /^\[(bpf|__builtin__.*)\]$/ && $1 !~ /^0*$/ {
			if (!($4 in first) || "" $1 < "" first[$4]) first[$4] = $1
			if (!($4 in last) || "" $1 > "" last[$4]) last[$4] = $1
		}
		END {
			for (m in first)
				printf "modlife1 0 0 0 0 module first=0x%s000 last=0x%sfff name=%s comm=\"\"\n",
					substr(first[m], 1, 13), substr(last[m], 1, 13), substr(m, 2, length(m) - 2)
		}' /proc/kallsyms |
		if [ "$format" = json ]; then
			sed 's/"/\\"/g; s/^/{"type": "printf", "data": "/; s/$/\\n"}/'
		else
			cat
		fi
}

# The program, without what this kernel has no place for, and with the functions asked for.
probes() {
	awk -v program="$program" -v events="$tracefs/events" '
		FILENAME != program { traceable[$1] = 1; next }
		{
			probe = $0
			sub(/^\/\*.*\*\/\n/, "", probe)
			sub(/\n.*/, "", probe)
			split(probe, part, ":")
			missing = 0
			if (part[1] ~ /^k(ret)?probe$/) missing = !(part[2] in traceable)
			if (part[1] == "tracepoint") missing = system("test -e " events "/" part[2] "/" part[3])
			if (missing) print "record.sh: this kernel has no " probe > "/dev/stderr"
			else print $0 "\n"
		}' "$functions" RS= "$program"
	for function; do
		module=$(module_of "$function")
		# Without the module's name, 0.24 and later probe in a way that holds a reference to it.
		target=
		at_least "$version" 0.24 && target=${module:+$module:}
		cat <<-EOF
			kprobe:$target$function {
				\$t = (struct task_struct *)curtask;
				printf("modlife1 %llu %d %d %x enter fn=$function module=$module arg0=0x%llx comm=\"%s\"%s\n",
				    nsecs, cpu, \$t->pid, \$1 ? *kptr((uint32 *)((uint64)\$1 + *kptr((uint64 *)\$2 + cpu))) : 0,
				    arg0, comm, kstack(perf, 16));
				@records[cpu]++;
			}
			kretprobe:$target$function {
				\$t = (struct task_struct *)curtask;
				printf("modlife1 %llu %d %d %x leave fn=$function module=$module ret=0x%llx comm=\"%s\"\n",
				    nsecs, cpu, \$t->pid, \$1 ? *kptr((uint32 *)((uint64)\$1 + *kptr((uint64 *)\$2 + cpu))) : 0,
				    retval, comm);
				@records[cpu]++;
			}
		EOF
	done
}

export BPFTRACE_PERF_RB_PAGES="${BPFTRACE_PERF_RB_PAGES:-1024}"
script=$(probes "$@" | sed "s/\$1/$count/g; s/\$2/$offsets/g; s/\$3/$text/g; s/\$4/$size/g")
modules

# A signal makes bpftrace drop what it has not printed yet; the end of a command it runs does not. That command waits
# for a process which ends with this shell or when told to. A session of its own, where ^C does not reach it.
tail --pid=$$ -f /dev/null &
watched=$!
trap 'kill $watched' INT TERM HUP
setsid bpftrace -c "$(command -v tail) --pid=$watched -s 0.2 -f /dev/null" --no-warnings -B line -f "$format" -e "$script" &
recorder=$!
wait $recorder
status=$?
while kill -0 $recorder 2>/dev/null; do
	wait $recorder
	status=$?
done
kill $watched 2>/dev/null
exit $status
