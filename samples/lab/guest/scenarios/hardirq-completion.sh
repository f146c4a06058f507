# Requests hold the module until their completion in hardirq puts; the one that is cancelled keeps its reference.
# module: teach_request
# probe: teach_request:teach_request_write teach_request:teach_request_done
insmod $ko/teach_request.ko fixed=$fixed
for request in + + + - + +; do echo $request > /dev/teach_request; done
sleep 0.5
rmmod teach_request
