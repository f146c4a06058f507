# Nodes are retired, and rmmod comes while their callbacks queue up on the other CPU. Crashes when the next one is due.
# With the variant lucky only the node that exit itself retires is left, and most often its callback runs in time.
# module: teach_rcu
# probe: teach_rcu:teach_rcu_free teach_rcu:teach_rcu_exit rcu_barrier
insmod $ko/teach_rcu.ko fixed=$fixed
[ "$variant" = lucky ] || taskset -c 1 sh -c 'echo 100 > /sys/module/teach_rcu/parameters/retire'
taskset -c 0 rmmod teach_rcu
sleep 2
