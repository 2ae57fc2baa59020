#ifndef CLI_STREAMS_H
#define CLI_STREAMS_H

/*
 * What a process in the background has in place of its caller's terminal or pipe: /dev/null, also
 * for its output, unless LOG_LEVEL asks for a log. The monitor's errors then go to the system's.
 */
int streams_open_null(void); /* negative: it cannot be had */
void streams_detach(int null);
void streams_use_system_log(
	void); /* after that, where LOG_LEVEL does not speak, and there is one */

#endif
