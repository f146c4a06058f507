# record-trace-cmd.sh SCRIPT DIRECTORY: runs SCRIPT under modlife capture --backend trace-cmd, into DIRECTORY/capture.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
modlife capture --backend trace-cmd $modules -o "$directory/capture" -- sh "${0%/*}/rehearse.sh" "$script" \
	> "$directory/stdout.txt" 2> "$directory/stderr.txt"
echo $? > "$directory/status"
