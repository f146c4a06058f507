# record-ci.sh SCRIPT DIRECTORY: runs SCRIPT under modlife ci; its verdict into DIRECTORY/verdict.txt.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
modlife ci --fail-on warning $modules -o "$directory/capture" -- sh "${0%/*}/rehearse.sh" "$script" \
	> "$directory/verdict.txt" 2> "$directory/stderr.txt"
echo $? > "$directory/status"
