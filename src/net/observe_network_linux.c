#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/observe.h"

/* Flags of /proc/net/ipv6_route; linux/ipv6_route.h and netinet/in.h do not go together. */
#define ROUTE_GATEWAY 0x2U
#define ROUTE_REJECT 0x200U
#define ROUTE_LOCAL 0x80000000U

enum { PATH_ROOM = 64 + IF_NAMESIZE };

/* The first line of a small file, or false. */
static bool read_line(const char *path, char *ret, int room)
{
	FILE *f = fopen(path, "re");
	bool read;

	if (!f)
		return false;
	read = fgets(ret, room, f) != NULL;
	(void)fclose(f); /* only read */
	return read;
}

static uint32_t read_number(const char *path)
{
	char line[32];

	return read_line(path, line, sizeof(line)) ? (uint32_t)strtoul(line, NULL, 10) : 0;
}

static bool is_wireguard(const char *name)
{
	char path[PATH_ROOM], line[64];

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/uevent", name);
	return read_line(path, line, sizeof(line)) && strcmp(line, "DEVTYPE=wireguard\n") == 0;
}

static int add_link(struct host_network *n, const struct ifaddrs *from)
{
	char path[PATH_ROOM];
	struct host_link *link;

	if (host_link_by_name(n, from->ifa_name) || strlen(from->ifa_name) >= HOST_NAME)
		return 0;
	link = host_add_link(n);
	if (!link)
		return -ENOMEM;
	(void)snprintf(link->name, sizeof(link->name), "%s", from->ifa_name);
	link->index = if_nametoindex(from->ifa_name);
	link->up = from->ifa_flags & IFF_UP;
	link->loopback = from->ifa_flags & IFF_LOOPBACK;
	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/mtu", from->ifa_name);
	link->mtu = read_number(path);
	link->wireguard = is_wireguard(from->ifa_name);
	return 0;
}

static bool ip_of(const struct sockaddr *from, struct ip *ret)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*ret = (struct ip){ 0 };
	if (from && from->sa_family == AF_INET) {
		memcpy(&v4, from, sizeof(v4));
		ret->family = FAMILY_V4;
		memcpy(ret->bytes, &v4.sin_addr, 4);
	} else if (from && from->sa_family == AF_INET6) {
		memcpy(&v6, from, sizeof(v6));
		ret->family = FAMILY_V6;
		memcpy(ret->bytes, &v6.sin6_addr, 16);
	}
	return ret->family != FAMILY_NONE;
}

static uint8_t bits_of(const struct ip *mask)
{
	uint8_t bits = 0;

	for (unsigned int i = 0; i < ip_bits(mask) / 8; ++i)
		bits = (uint8_t)(bits + __builtin_popcount(mask->bytes[i]));
	return bits;
}

static int add_address(struct host_network *n, const struct ifaddrs *from)
{
	const struct host_link *link = host_link_by_name(n, from->ifa_name);
	struct host_address *address;
	struct ip ip, mask;

	if (!link || !ip_of(from->ifa_addr, &ip) || !ip_of(from->ifa_netmask, &mask))
		return 0;
	address = host_add_address(n);
	if (!address)
		return -ENOMEM;
	address->link = link->index;
	address->prefix = (struct prefix){ .ip = ip, .bits = bits_of(&mask) };
	return 0;
}

static int add_route(struct host_network *n, const struct prefix *dst, const char *name,
		     bool gateway)
{
	const struct host_link *link = host_link_by_name(n, name);
	struct host_route *route;

	if (!link)
		return 0;
	route = host_add_route(n);
	if (!route)
		return -ENOMEM;
	*route = (struct host_route){ .dst = *dst, .link = link->index, .gateway = gateway };
	return 0;
}

static int read_routes_v4(struct host_network *n)
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256], name[IF_NAMESIZE + 1];
	uint32_t dst, gateway, flags, mask;
	int status = 0;

	while (f && status == 0 && fgets(line, sizeof(line), f)) {
		struct prefix p = { .ip.family = FAMILY_V4 };

		if (sscanf(line,
			   "%16s %8" SCNx32 " %8" SCNx32 " %4" SCNx32 " %*d %*d %*d %8" SCNx32,
			   name, &dst, &gateway, &flags, &mask) != 5 ||
		    flags & ROUTE_REJECT)
			continue;
		memcpy(p.ip.bytes, &dst, 4); /* printed as the host would read it */
		p.bits = (uint8_t)__builtin_popcount(mask);
		status = add_route(n, &p, name, gateway != 0);
	}
	if (f)
		(void)fclose(f); /* only read */
	return status;
}

static bool hex_to_ip(const char *hex, struct ip *ret)
{
	ret->family = FAMILY_V6;
	for (int i = 0; i < 16; ++i)
		if (sscanf(hex + 2 * i, "%2hhx", &ret->bytes[i]) != 1)
			return false;
	return true;
}

static int read_routes_v6(struct host_network *n)
{
	FILE *f = fopen("/proc/net/ipv6_route", "re");
	char line[256], name[IF_NAMESIZE + 1], dst[33];
	uint32_t bits, flags;
	int status = 0;

	while (f && status == 0 && fgets(line, sizeof(line), f)) {
		struct prefix p = { 0 };

		if (sscanf(line, "%32s %2" SCNx32 " %*s %*s %*s %*s %*s %*s %8" SCNx32 " %16s", dst,
			   &bits, &flags, name) != 4 ||
		    flags & (ROUTE_REJECT | ROUTE_LOCAL) || bits > 128 || !hex_to_ip(dst, &p.ip))
			continue;
		p.bits = (uint8_t)bits;
		status = add_route(n, &p, name, flags & ROUTE_GATEWAY);
	}
	if (f)
		(void)fclose(f); /* only read */
	return status;
}

static bool stands_in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = NULL, *rest, *folder;
	bool found = false;

	/* wg-quick runs as root, which looks where a user may not */
	if (asprintf(&copy, "%s:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
		     path ? path : "/usr/local/bin") < 0)
		return false;
	rest = copy;

	while (copy && !found && (folder = strsep(&rest, ":"))) {
		char *name;

		if (asprintf(&name, "%s/%s", folder, program) < 0)
			break;
		found = access(name, X_OK) == 0;
		free(name);
	}
	free(copy);
	return found;
}

int observe_network(struct host_network *ret)
{
	struct ifaddrs *all;
	int status = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *a = all; a && status == 0; a = a->ifa_next)
		status = add_link(ret, a);
	for (const struct ifaddrs *a = all; a && status == 0; a = a->ifa_next)
		status = add_address(ret, a);
	freeifaddrs(all);
	if (status == 0)
		status = read_routes_v4(ret);
	if (status == 0)
		status = read_routes_v6(ret);
	/* without IPv6 in the kernel the file is missing, and that is as good as off */
	ret->ipv6_off = access("/proc/sys/net/ipv6", F_OK) != 0 ||
			read_number("/proc/sys/net/ipv6/conf/default/disable_ipv6") == 1;
	ret->has_resolvconf = stands_in_path("resolvconf");
	return status;
}
