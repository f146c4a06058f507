# rmmod comes while a task has the device open; without .owner it succeeds, and the close that follows crashes.
# module: teach_no_owner
# probe: teach_no_owner:teach_no_owner_open teach_no_owner:teach_no_owner_release
insmod $ko/teach_no_owner.ko fixed=$fixed
: < /dev/teach_no_owner
sleep $((fixed ? 1 : 5)) < /dev/teach_no_owner &
sleep 0.3
rmmod teach_no_owner
wait $!
[ $fixed = 0 ] || rmmod teach_no_owner
