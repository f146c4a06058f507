# record-live.sh SCRIPT DIRECTORY: runs SCRIPT while modlife tail --live watches, which tells what it sees into
# DIRECTORY/live.ndjson and keeps what came last in DIRECTORY/kept when something goes wrong.
script=$1 directory=$2
. /lab/project/samples/lab/guest/modlife.sh
modlife tail --live --json --keep 60 -o "$directory/kept" $modules > "$directory/live.ndjson" 2> "$directory/stderr.txt" &
# It says so when what happens from now on is recorded.
for _ in $(seq 300); do
	grep -q recording "$directory/stderr.txt" && break
	sleep 0.1
done
sh "${0%/*}/rehearse.sh" "$script"
sleep 1
kill -INT $(pidof node)
wait $!
echo $? > "$directory/status"
