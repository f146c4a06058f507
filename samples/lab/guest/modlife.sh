# modlife in the guest: the checkout and the Node of the machine outside.
modlife() {
	/lab/node/node /lab/project/bin/modlife.js "$@"
}

# "# module: M N" in the head of a scenario becomes "-m M -m N".
module_options() {
	sed -n 's/^# module: //p' "$1" | tr ' ' '\n' | sed 's/^/-m /'
}
