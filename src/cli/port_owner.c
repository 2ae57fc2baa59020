#include "cli/port_owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/wg_device.h"
#include "control/devices.h"

/* A line of /proc/net/udp: the inode of a socket on that port, or 0. */
static unsigned long inode_of(const char *line, uint16_t port)
{
	unsigned long inode;
	unsigned int at;

	/* sl local:port remote:port st tx:rx tr:when retransmits uid timeout inode */
	if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*s %*s %lu", &at, &inode) !=
	    2)
		return 0;
	return at == port ? inode : 0;
}

static unsigned long find_inode(uint16_t port)
{
	static const char *const files[] = { "/proc/net/udp", "/proc/net/udp6" };
	unsigned long inode = 0;
	char line[512];

	for (size_t i = 0; i < ELEMENTS(files) && !inode; ++i) {
		FILE *f = fopen(files[i], "re");

		while (f && !inode && fgets(line, sizeof(line), f))
			inode = inode_of(line, port);
		if (f)
			(void)fclose(f); /* only read */
	}
	return inode;
}

static bool process_has(const char *pid, unsigned long inode)
{
	char path[64], target[64], wanted[64];
	const struct dirent *entry;
	bool found = false;
	ssize_t len;
	DIR *fds;

	(void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	(void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	fds = opendir(path);
	while (fds && !found && (entry = readdir(fds))) {
		len = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	if (fds)
		closedir(fds);
	return found;
}

static void read_name(const char *pid, char ret[static 32])
{
	char path[64];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	ret[0] = '\0';
	f = fopen(path, "re");
	if (f && fgets(ret, 32, f))
		ret[strcspn(ret, "\n")] = '\0';
	if (f)
		(void)fclose(f); /* only read */
	for (char *at = ret; *at; ++at)
		if (*at < ' ' || *at > '~')
			*at = '?';
}

static bool find_process(unsigned long inode, char *ret, size_t room)
{
	DIR *all = opendir("/proc");
	const struct dirent *entry;
	bool found = false;
	char name[32];

	while (all && !found && (entry = readdir(all))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_has(entry->d_name, inode))
			continue;
		read_name(entry->d_name, name);
		(void)snprintf(ret, room, "%s, process %.20s", name, entry->d_name);
		found = true;
	}
	if (all)
		closedir(all);
	return found;
}

/* The kernel's own sockets are nobody's. */
static bool find_tunnel(uint16_t port, char *ret, size_t room)
{
	struct device_list list;
	bool found = false;

	if (devices_list(DEVICES_DIR, &list) < 0)
		return false;
	for (size_t i = 0; i < list.count && !found; ++i) {
		struct model m;

		model_init(&m);
		found = wg_device_get(list.items[i].name, &m) == 0 && m.listen_port == port;
		if (found)
			(void)snprintf(ret, room, "the tunnel %s", list.items[i].name);
		model_done(&m);
	}
	devices_done(&list);
	return found;
}

bool port_owner(uint16_t port, char *ret, size_t room)
{
	const unsigned long inode = port ? find_inode(port) : 0;

	return port && (find_tunnel(port, ret, room) || (inode && find_process(inode, ret, room)));
}
