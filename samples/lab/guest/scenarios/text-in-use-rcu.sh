# Nodes are retired, and rmmod comes while their callbacks queue up on the other CPU. Crashes when the next one is due.
# With the variant lucky one is retired in good time, and only the node that exit itself retires is left; most often
# its callback runs before the text is gone.
# module: teach_rcu
# probe: teach_rcu:teach_rcu_free teach_rcu:teach_rcu_exit rcu_barrier
insmod $ko/teach_rcu.ko fixed=$fixed
if [ "$variant" = lucky ]; then
	taskset -c 0 sh -c 'echo 1 > /sys/module/teach_rcu/parameters/retire'
	sleep 0.5
else
	taskset -c 1 sh -c 'echo 100 > /sys/module/teach_rcu/parameters/retire'
fi
taskset -c 0 rmmod teach_rcu
sleep 2
