# The backend is used once while it lives and once while its exit function runs, when the get must fail.
# module: teach_registry teach_backend
# probe: teach_registry:teach_registry_use teach_backend:teach_backend_exit
insmod $ko/teach_registry.ko fixed=$fixed
insmod $ko/teach_backend.ko
cat /dev/teach_registry
rmmod teach_backend &
sleep 0.5
cat /dev/teach_registry
wait $!
rmmod teach_registry
