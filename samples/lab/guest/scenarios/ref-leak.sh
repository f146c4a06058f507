# A write that is refused keeps the reference that writes take: rmmod is refused for good.
# module: teach_ref_leak
# probe: teach_ref_leak:teach_ref_leak_write
insmod $ko/teach_ref_leak.ko fixed=$fixed
echo +1 > /dev/teach_ref_leak
echo +2 > /dev/teach_ref_leak
echo oops > /dev/teach_ref_leak
echo +3 > /dev/teach_ref_leak
rmmod teach_ref_leak
