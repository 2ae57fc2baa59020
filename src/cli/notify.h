#ifndef CLI_NOTIFY_H
#define CLI_NOTIFY_H

/*
 * Tell the service manager how we are (sd_notify(3)): a datagram to $NOTIFY_SOCKET, spoken here so
 * that nothing has to be linked for it. Silent where there is no manager.
 */
void notify_manager(const char *state);

#endif
