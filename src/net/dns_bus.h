#ifndef NET_DNS_BUS_H
#define NET_DNS_BUS_H

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "base/attr.h"
#include "model/diag.h"

/*
 * The system bus, by the libsystemd of the host, which is loaded when it is first needed: a host
 * without it has nobody to talk to there either. The members are named as the functions are.
 */
#define DNS_BUS_CALLS(CALL)           \
	CALL(open_system)             \
	CALL(flush_close_unref)       \
	CALL(set_method_call_timeout) \
	CALL(get_name_creds)          \
	CALL(creds_get_pid)           \
	CALL(creds_unref)             \
	CALL(call)                    \
	CALL(call_method)             \
	CALL(get_property)            \
	CALL(get_property_string)     \
	CALL(error_free)              \
	CALL(error_has_name)          \
	CALL(message_new_method_call) \
	CALL(message_set_auto_start)  \
	CALL(message_append)          \
	CALL(message_append_array)    \
	CALL(message_open_container)  \
	CALL(message_close_container) \
	CALL(message_enter_container) \
	CALL(message_exit_container)  \
	CALL(message_read)            \
	CALL(message_read_array)      \
	CALL(message_skip)            \
	CALL(message_unref)

struct dns_bus {
	void *library;
	sd_bus *bus;
#define DNS_BUS_MEMBER(name) __typeof__(sd_bus_##name) *(name);
	DNS_BUS_CALLS(DNS_BUS_MEMBER)
#undef DNS_BUS_MEMBER
};

/* -ENOENT: there is no such bus, or nobody here can speak to it. */
MUST_CHECK int dns_bus_open(struct dns_bus *ret);
void dns_bus_close(struct dns_bus *b);

/* 1: name is on the bus and of our network namespace, so that its links are ours. 0: not on it.
 * -EXDEV: of another one. */
MUST_CHECK int dns_bus_has(const struct dns_bus *b, const char *name);

/* Sends m, which is taken, and waits. Not zero: why says what the other said. */
MUST_CHECK int dns_bus_call(const struct dns_bus *b, sd_bus_message *m, const char *who,
			    sd_bus_message **ret, struct diag *why);

#endif
