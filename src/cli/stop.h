#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

/*
 * A command that must not be cut off in the middle: SIGINT, SIGTERM and SIGHUP only ask it to stop,
 * and it takes back what it has done. What waits is interrupted. SIGPIPE is ignored: whoever reads
 * our words may leave.
 */
void stop_listen(void);
bool stop_is_asked(void);

#endif
