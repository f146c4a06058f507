# The last put comes from teach_holder's work item while exit waits for the release to have begun. Crashes.
# With the variant lucky the release returns at once: nothing ordered that, either.
# module: teach_holder teach_kobject
# probe: teach_kobject:teach_kobject_release teach_kobject:teach_kobject_exit teach_holder:teach_holder_release
insmod $ko/teach_holder.ko
[ "$variant" != lucky ] || delay='delay_ms=0'
insmod $ko/teach_kobject.ko fixed=$fixed $delay
rmmod teach_kobject
sleep $((fixed ? 1 : 5))
rmmod teach_holder
