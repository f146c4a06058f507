# record-readme.sh SCRIPT DIRECTORY: runs SCRIPT while the shell commands of README.md for a machine without modlife
# record, into DIRECTORY/trace.txt.
script=$1 directory=$2
heading='## When rmmod says "Module is in use"'
eval "$(sed -n "/^$heading/,/^Do what/s/^    //p" /lab/project/README.md)"
sh "$script"
sleep 1
kill $!
wait
cp /tmp/mydrv.trace "$directory/trace.txt"
