#include "net/apply_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWITCHES "/proc/sys/"

/* A journal names it: nothing outside. */
static bool full_path(const char *path, char ret[static PATH_MAX])
{
	if (!path || !*path || *path == '/' || strstr(path, "..") ||
	    strlen(path) + sizeof(SWITCHES) > PATH_MAX)
		return false;
	(void)snprintf(ret, PATH_MAX, SWITCHES "%s", path);
	return true;
}

static int open_switch(const char *path, int flags)
{
	char full[PATH_MAX];
	int fd;

	if (!full_path(path, full))
		return -EINVAL;
	fd = open(full, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int apply_switch_read(const char *path, uint32_t *ret)
{
	const int fd = open_switch(path, O_RDONLY);
	char text[16], *end;
	unsigned long value;
	ssize_t len;

	if (fd < 0)
		return fd;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len < 0)
		return -EIO;
	text[len] = '\0';
	value = strtoul(text, &end, 10);
	if (end == text || value > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

static int write_switch(const char *path, uint32_t value)
{
	const int fd = open_switch(path, O_WRONLY);
	char text[16];
	int len, status = 0;

	if (fd < 0)
		return fd;
	len = snprintf(text, sizeof(text), "%u\n", value);
	if (write(fd, text, (size_t)len) != len)
		status = errno ? -errno : -EIO;
	close(fd);
	return status;
}

/* net.ipv4.ip_forward, as sysctl has it */
static void dotted(const char *path, char ret[static DIAG_TEXT])
{
	(void)snprintf(ret, DIAG_TEXT, "%s", path ? path : "");
	for (char *at = ret; *at; ++at)
		if (*at == '/')
			*at = '.';
}

static void explain(const struct item *i, uint32_t wanted, int status, struct diag *why)
{
	char name[DIAG_TEXT];

	dotted(i->text, name);
	diag_set(why, DIAG_WARNING, "A3", 0, "%.90s cannot be set to %u: %s", name, wanted,
		 strerror(-status));
	if (status == -EROFS)
		diag_hint(why, "in a container it is set from outside: --sysctl %.80s=%u", name,
			  wanted);
}

static int set(const struct item *i, uint32_t value, struct diag *why)
{
	uint32_t now;
	int status;

	if (apply_switch_read(i->text, &now) == 0 && now == value)
		return 0;
	status = write_switch(i->text, value);
	if (status < 0)
		explain(i, value, status, why);
	return status;
}

int apply_switch_set(const struct item *i, struct diag *why)
{
	return set(i, i->number, why);
}

int apply_switch_restore(const struct item *i, struct diag *why)
{
	uint32_t now;

	if (apply_switch_read(i->text, &now) < 0 || now != i->number)
		return 0; /* it is not ours any more */
	return set(i, i->old, why);
}
