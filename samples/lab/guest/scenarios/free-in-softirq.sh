# A timer drops the last reference to an object: its release method runs in softirq. Fixed, a work item drops it.
# module: teach_irq_free
# probe: teach_irq_free:teach_irq_free_release teach_irq_free:teach_irq_free_soft vfree vfree_atomic
insmod $ko/teach_irq_free.ko fixed=$fixed
sleep 1
rmmod teach_irq_free
