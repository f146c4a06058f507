# A thread gives back the last reference itself and goes on in module text, while rmmod frees it. Crashes.
# module: teach_thread_put
# probe: teach_thread_put:teach_thread_put_job teach_thread_put:teach_thread_put_write
# event: sched/sched_process_exit
insmod $ko/teach_thread_put.ko fixed=$fixed
echo go > /dev/teach_thread_put
sleep 0.8
rmmod teach_thread_put
sleep $((fixed ? 1 : 5))
