# The client takes references to the server, which gives them back itself; one job is called off and keeps its own.
# module: teach_server teach_client
# probe: teach_client:teach_client_write teach_server:teach_server_done
# event: workqueue/workqueue_queue_work workqueue/workqueue_execute_start workqueue/workqueue_execute_end
insmod $ko/teach_server.ko
insmod $ko/teach_client.ko fixed=$fixed
for job in + + + - + +; do echo $job > /dev/teach_client; done
sleep 0.3
rmmod teach_client
rmmod teach_server
