# An open takes the first reference to the module from inside the module; with .owner the VFS takes it before.
# module: teach_own_get
# probe: teach_own_get:teach_own_get_open teach_own_get:teach_own_get_release
insmod $ko/teach_own_get.ko fixed=$fixed
: < /dev/teach_own_get
: < /dev/teach_own_get
rmmod teach_own_get
