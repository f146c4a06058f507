# record-bpftrace.sh SCRIPT DIRECTORY: runs SCRIPT under modlife capture --backend bpftrace, into DIRECTORY/capture.
# bpftrace probes what is loaded when it starts, so the modules are not named: events only.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
modlife capture --backend bpftrace -o "$directory/capture" -- sh "$script" \
	> "$directory/stdout.txt" 2> "$directory/stderr.txt"
echo $? > "$directory/status"
