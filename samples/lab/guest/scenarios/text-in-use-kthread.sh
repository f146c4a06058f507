# rmmod comes while a thread sleeps in its function. Crashes when it wakes.
# module: teach_kthread
# probe: teach_kthread:teach_kthread_run teach_kthread:teach_kthread_exit
# event: sched/sched_kthread_stop sched/sched_kthread_stop_ret sched/sched_process_exit
insmod $ko/teach_kthread.ko fixed=$fixed
sleep 0.3
rmmod teach_kthread
sleep $((fixed ? 1 : 5))
