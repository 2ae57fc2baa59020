#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "device/tun.h"

enum { HEADER = sizeof(struct virtio_net_hdr) };

static_assert(HEADER == 10);
static_assert((int)TUN_NAME == (int)IFNAMSIZ);

static int refuse(struct diag *why, int error, const char *name, const char *words)
{
	diag_set(why, DIAG_ERROR, "tun", 0, "%s: %s", name, words);
	return error;
}

static int refuse_node(struct diag *why, int error)
{
	static const char node[] = "/dev/net/tun";

	switch (-error) {
	case ENOENT:
		return refuse(why, error, node,
			      "missing; load the driver (modprobe tun), or in a container pass the "
			      "device in "
			      "(--device /dev/net/tun)");
	case ENODEV:
	case ENXIO:
		return refuse(why, error, node,
			      "the kernel has no TUN driver; load it (modprobe tun)");
	case EPERM:
	case EACCES:
		return refuse(why, error, node,
			      "may not be opened; run as root, or have the container allow it");
	default:
		return refuse(why, error, node, strerrordesc_np(-error));
	}
}

static int refuse_name(struct diag *why, int error, const char *name)
{
	switch (-error) {
	case EPERM:
		return refuse(
			why, error, name,
			"making a TUN device needs the capability CAP_NET_ADMIN (run as root)");
	case EBUSY:
		return refuse(why, error, name,
			      "the name is taken: an engine runs on it, or another program uses "
			      "this TUN");
	case EINVAL:
		if (if_nametoindex(name))
			return refuse(why, -EBUSY, name,
				      "the name is taken by a link that is no TUN device");
		return refuse(why, error, name, "is no name for a network interface");
	default:
		return refuse(why, error, name, strerrordesc_np(-error));
	}
}

/* Offloads off, and a header of one known length where the descriptor has one. */
static int set_up(struct tun *t, unsigned int flags)
{
	int header = HEADER;

	if (ioctl(t->fd, TUNSETOFFLOAD, 0) < 0)
		return -errno;
	t->header = 0;
	if (!(flags & IFF_VNET_HDR))
		return 0;
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &header) < 0)
		return -errno;
	t->header = header;
	return 0;
}

static int set_mtu(const char *name)
{
	struct ifreq r = { .ifr_mtu = TUN_MTU_DEFAULT };
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, name, TUN_NAME);
	if (ioctl(fd, SIOCSIFMTU, &r) < 0)
		error = -errno;
	close(fd);
	return error;
}

struct mode_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr spec; /* IFLA_AF_SPEC { AF_INET6 { IFLA_INET6_ADDR_GEN_MODE } } */
	struct rtattr family;
	struct rtattr mode;
	uint8_t value;
	uint8_t padding[3];
};

/* Best effort: without IPv6 there is no such mode, and then no link-local address either. */
static void set_no_link_local(const char *name)
{
	const struct mode_request r = {
		.header = { .nlmsg_len = sizeof(r),
			    .nlmsg_type = RTM_NEWLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_index = (int)if_nametoindex(name) },
		.spec = { sizeof(r) - offsetof(struct mode_request, spec),
			  IFLA_AF_SPEC | NLA_F_NESTED },
		.family = { sizeof(r) - offsetof(struct mode_request, family),
			    AF_INET6 | NLA_F_NESTED },
		.mode = { RTA_LENGTH(1), IFLA_INET6_ADDR_GEN_MODE },
		.value = IN6_ADDR_GEN_MODE_NONE,
	};
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return;
	(void)send(fd, &r, sizeof(r),
		   0); /* done when this returns: rtnetlink works in the sender */
	close(fd);
}

static int open_node(void)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The descriptor becomes that of the device; its real name goes to t. */
static int attach(struct tun *t, const char *name, struct diag *why)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int error;

	memcpy(r.ifr_name, name, strlen(name));
	if (ioctl(t->fd, TUNSETIFF, &r) < 0)
		return refuse_name(why, -errno, name);
	memcpy(t->name, r.ifr_name, TUN_NAME);
	error = set_up(t, IFF_VNET_HDR);
	if (!error)
		error = set_mtu(t->name);
	if (error)
		return refuse(why, error, t->name, strerrordesc_np(-error));
	set_no_link_local(t->name);
	return 0;
}

int tun_open(const char *name, struct diag *why, struct tun *ret)
{
	struct tun t = { 0 };
	int error;

	if (strlen(name) >= TUN_NAME)
		return refuse(why, -EINVAL, name,
			      "is too long for the name of a network interface (15 bytes)");
	t.fd = open_node();
	if (t.fd < 0)
		return refuse_node(why, t.fd);
	error = attach(&t, name, why);
	if (error)
		close(t.fd);
	else
		*ret = t;
	return error;
}

static int set_flags(int fd)
{
	const int status = fcntl(fd, F_GETFL);

	if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int tun_adopt(int fd, struct diag *why, struct tun *ret)
{
	struct tun t = { .fd = fd };
	struct ifreq r = { 0 };
	unsigned int flags;
	int error;

	if (ioctl(fd, TUNGETIFF, &r) < 0) {
		error = -errno;
		return refuse(why, error, "inherited descriptor",
			      error == -EBADFD ? "its TUN device does not exist any more"
					       : "is no TUN device");
	}
	flags = (unsigned short)r.ifr_flags;
	memcpy(t.name, r.ifr_name, TUN_NAME);
	if (!(flags & IFF_TUN))
		return refuse(why, -EINVAL, t.name,
			      "is a TAP device (Ethernet); a TUN device (IP) is needed");
	error = set_flags(fd);
	if (!error)
		error = set_up(&t, flags);
	if (error)
		return refuse(why, error, t.name, strerrordesc_np(-error));
	*ret = t;
	return 0;
}

void tun_close(struct tun *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/*
 * The field holds the sum of the pseudo header. 0 goes out as 0xffff, an equal value: for UDP, 0
 * means no checksum.
 */
static bool complete_checksum(const struct virtio_net_hdr *h, uint8_t *packet, size_t len)
{
	const size_t start = h->csum_start;
	const size_t at = start + h->csum_offset;
	uint16_t sum;

	if (at + 2 > len)
		return false;
	sum = checksum_fold(checksum_add(0, packet + start, len - start));
	store16_be(packet + at, sum ? sum : 0xffff);
	return true;
}

/*
 * With offloads off the kernel hands out whole packets; only what was queued before an adopted
 * descriptor had them switched off is otherwise.
 */
static bool make_plain(const struct virtio_net_hdr *h, uint8_t *packet, size_t len)
{
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		return complete_checksum(h, packet, len);
	return true;
}

ssize_t tun_read(const struct tun *t, uint8_t *buf, size_t room)
{
	struct virtio_net_hdr h = { 0 };
	uint8_t beyond; /* the driver cuts what is too long without a word */
	const struct iovec parts[] = { { &h, (size_t)t->header }, { buf, room }, { &beyond, 1 } };
	const ssize_t got = readv(t->fd, parts, (int)ELEMENTS(parts));
	size_t len;

	if (got < 0)
		return -errno;
	if (got < t->header)
		return -EMSGSIZE;
	len = (size_t)(got - t->header);
	if (len > room || !make_plain(&h, buf, len))
		return -EMSGSIZE;
	return (ssize_t)len;
}

int tun_write(const struct tun *t, const uint8_t *packet, size_t len)
{
	/* struct iovec is for both directions; writing only reads */
	const union {
		const uint8_t *given;
		void *wanted;
	} data = { .given = packet };
	struct virtio_net_hdr h = { 0 };
	const struct iovec parts[] = { { &h, (size_t)t->header }, { data.wanted, len } };

	return writev(t->fd, parts, (int)ELEMENTS(parts)) < 0 ? -errno : 0;
}
