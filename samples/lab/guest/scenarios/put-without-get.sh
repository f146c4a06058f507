# A close puts what it never got. The count falls below its base; rmmod would hit a BUG_ON, so it is not tried then.
# module: teach_extra_put
# probe: teach_extra_put:teach_extra_put_release
insmod $ko/teach_extra_put.ko fixed=$fixed
: < /dev/teach_extra_put
[ $fixed = 0 ] || rmmod teach_extra_put
