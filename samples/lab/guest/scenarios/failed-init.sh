# No bug: a task opens and closes the device while init runs, which then fails.
# module: teach_absent
insmod $ko/teach_absent.ko fixed=0 &
until [ -e /dev/teach_absent ]; do sleep 0.05; done
: < /dev/teach_absent
: < /dev/teach_absent
wait $!
