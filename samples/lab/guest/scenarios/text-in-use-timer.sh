# rmmod comes while a timer is armed. Crashes when it expires.
# module: teach_timer
# probe: teach_timer:teach_timer_expire teach_timer:teach_timer_exit
# event: timer/timer_start timer/timer_cancel timer/timer_expire_entry timer/timer_expire_exit
insmod $ko/teach_timer.ko fixed=$fixed
rmmod teach_timer
sleep $((fixed ? 1 : 5))
