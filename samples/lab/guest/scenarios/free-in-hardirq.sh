# The same from a high-resolution timer: in hardirq.
# module: teach_irq_free
# probe: teach_irq_free:teach_irq_free_release teach_irq_free:teach_irq_free_hard vfree vfree_atomic
insmod $ko/teach_irq_free.ko hard=1 fixed=$fixed
sleep 1
rmmod teach_irq_free
