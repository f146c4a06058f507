# record-capture.sh SCRIPT DIRECTORY: runs SCRIPT under modlife capture, into DIRECTORY/capture.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
modlife capture $modules $buffer -o "$directory/capture" -- sh "${0%/*}/rehearse.sh" "$script" \
	> "$directory/stdout.txt" 2> "$directory/stderr.txt"
echo $? > "$directory/status"
