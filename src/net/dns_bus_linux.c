#include "net/dns_bus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"

enum { TIMEOUT_US = 20 * 1000 * 1000 };

static const struct {
	const char *symbol;
	size_t at;
} calls[] = {
#define DNS_BUS_ROW(name) { "sd_bus_" #name, offsetof(struct dns_bus, name) },
	DNS_BUS_CALLS(DNS_BUS_ROW)
#undef DNS_BUS_ROW
};

static bool load(struct dns_bus *b)
{
	b->library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	for (size_t i = 0; b->library && i < ELEMENTS(calls); ++i) {
		void *const symbol = dlsym(b->library, calls[i].symbol);

		if (!symbol)
			return false;
		memcpy((char *)b + calls[i].at, &symbol, sizeof(symbol));
	}
	return b->library != NULL;
}

int dns_bus_open(struct dns_bus *ret)
{
	struct dns_bus b = { 0 };

	if (!load(&b) || b.open_system(&b.bus) < 0) {
		dns_bus_close(&b);
		return -ENOENT;
	}
	(void)b.set_method_call_timeout(b.bus, TIMEOUT_US); /* its own is 25 s */
	*ret = b;
	return 0;
}

void dns_bus_close(struct dns_bus *b)
{
	if (b->bus)
		(void)b->flush_close_unref(b->bus); /* gives NULL */
	if (b->library)
		(void)dlclose(b->library);
	*b = (struct dns_bus){ 0 };
}

static bool in_our_namespace(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
	       theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
}

int dns_bus_has(const struct dns_bus *b, const char *name)
{
	sd_bus_creds *creds = NULL;
	pid_t pid;
	int status;

	if (b->get_name_creds(b->bus, name, SD_BUS_CREDS_PID, &creds) < 0)
		return 0; /* nobody has the name */
	status = b->creds_get_pid(creds, &pid) < 0 || !in_our_namespace(pid) ? -EXDEV : 1;
	(void)b->creds_unref(creds); /* gives NULL */
	return status;
}

int dns_bus_call(const struct dns_bus *b, sd_bus_message *m, const char *who, sd_bus_message **ret,
		 struct diag *why)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int status = b->message_set_auto_start(m, 0);

	if (status >= 0)
		status = b->call(b->bus, m, 0, &error, ret);
	if (status < 0)
		diag_set(why, DIAG_WARNING, "H7", 0, "%s did not take the servers: %s", who,
			 error.message ? error.message : strerror(-status));
	b->error_free(&error);
	(void)b->message_unref(m); /* gives NULL */
	return status < 0 ? status : 0;
}
