# rmmod comes while a work item sleeps in its function. Crashes when it wakes.
# module: teach_work
# probe: teach_work:teach_work_run teach_work:teach_work_exit
# event: workqueue/workqueue_queue_work workqueue/workqueue_execute_start workqueue/workqueue_execute_end
insmod $ko/teach_work.ko fixed=$fixed
sleep 0.3
rmmod teach_work
sleep $((fixed ? 1 : 5))
