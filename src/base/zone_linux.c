#include "base/zone.h"

#include <assert.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

static int asked = -1;

void zone_ask_through(int fd)
{
	asked = fd;
}

uint32_t zone_index(const char *name)
{
	struct ifreq request = { 0 };
	const size_t len = strlen(name);

	static_assert(ZONE_NAME == IFNAMSIZ, "a name fits");
	if (asked < 0)
		return if_nametoindex(name);
	if (len >= sizeof(request.ifr_name))
		return 0;
	memcpy(request.ifr_name, name, len);
	return ioctl(asked, SIOCGIFINDEX, &request) < 0 ? 0 : (uint32_t)request.ifr_ifindex;
}

bool zone_name(uint32_t index, char ret[static ZONE_NAME])
{
	struct ifreq request = { 0 };

	if (index > INT_MAX)
		return false;
	if (asked < 0)
		return if_indextoname(index, ret) != NULL;
	request.ifr_ifindex = (int)index;
	if (ioctl(asked, SIOCGIFNAME, &request) < 0)
		return false;
	memcpy(ret, request.ifr_name, ZONE_NAME);
	return true;
}
