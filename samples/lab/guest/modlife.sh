# modlife in the guest: the checkout and the Node of the machine outside. Sourced with $script and $directory set.
if ! why=$(/lab/node/node --version 2>&1); then
	echo "the Node of the machine outside does not run in the guest: $why" > "$directory/skipped"
	exit
fi

modlife() {
	/lab/node/node /lab/project/bin/modlife.js "$@"
}

# "# buffer: KB" in the head of a scenario is what is too little of it, unless it is mended.
buffer=$(sed -n 's/^# buffer: /--buffer-size /p' "$script")
[ "$fixed" = 0 ] || buffer=
# "# module: M N" in the head of a scenario becomes "-m M -m N".
modules=$(sed -n 's/^# module: //p' "$script" | tr ' ' '\n' | sed 's/^/-m /')
