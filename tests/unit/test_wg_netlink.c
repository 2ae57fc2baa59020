#include "control/wg_netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "base/bytes.h"
#include "base/netlink.h"

enum { FAMILY = 0x1d, BIG = 100000 };

/* A kernel behind a socket: what it answers to each request in turn. */
enum answer {
	END, /* of the script: hang up */
	FAMILY_IS,
	FAMILY_NAMELESS, /* an answer without the number */
	DUMP,            /* a device with two peers, the first in two messages */
	DUMP_CHANGED,
	DUMP_FAILS, /* after the first message */
	DUMP_BROKEN,
	ACK,
	LINKS,
	LINKS_CHANGED,
	TOO_BIG,

};

struct kernel {
	const int *script; /* enum answer, or a negative errno */
	int fd;
	pthread_t thread;
	unsigned int requests;
	char names[64]; /* of the devices that requests were about, each once in a row */
	uint8_t out[BIG];
	size_t len;
};

static struct nlmsghdr *begin(struct kernel *k, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(k->out + k->len);

	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = 1;
	return h;
}

static void end(struct kernel *k, const struct nlmsghdr *h)
{
	k->len += (h->nlmsg_len + MNL_ALIGNTO - 1) / MNL_ALIGNTO * MNL_ALIGNTO;
}

static void flush(struct kernel *k)
{
	(void)send(k->fd, k->out, k->len, MSG_NOSIGNAL);
	k->len = 0;
}

static void put_number(struct kernel *k, uint16_t type, uint16_t flags, int number)
{
	struct nlmsghdr *h = begin(k, type, flags);

	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(number)), &number, sizeof(number));
	end(k, h);
}

static void put_family(struct kernel *k, bool has_number)
{
	struct nlmsghdr *h = begin(k, GENL_ID_CTRL, 0);

	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, "wireguard");
	if (has_number)
		mnl_attr_put_u16(h, CTRL_ATTR_FAMILY_ID, FAMILY);
	end(k, h);
	flush(k);
	put_number(k, NLMSG_ERROR, 0, 0);
	flush(k);
}

static void put_peer(struct nlmsghdr *h, uint8_t number, uint8_t address)
{
	const uint8_t key[KEY_LEN] = { number }, ip[4] = { 10, 0, 0, address };
	struct nlattr *peer = mnl_attr_nest_start(h, 0), *all, *one;

	mnl_attr_put(h, WGPEER_A_PUBLIC_KEY, sizeof(key), key);
	all = mnl_attr_nest_start(h, WGPEER_A_ALLOWEDIPS);
	one = mnl_attr_nest_start(h, 0);
	mnl_attr_put_u16(h, WGALLOWEDIP_A_FAMILY, AF_INET);
	mnl_attr_put(h, WGALLOWEDIP_A_IPADDR, sizeof(ip), ip);
	mnl_attr_put_u8(h, WGALLOWEDIP_A_CIDR_MASK, 32);
	mnl_attr_nest_end(h, one);
	mnl_attr_nest_end(h, all);
	mnl_attr_nest_end(h, peer);
}

static void put_piece(struct kernel *k, uint16_t flags, bool is_first, bool is_broken)
{
	struct nlmsghdr *h = begin(k, FAMILY, (uint16_t)(NLM_F_MULTI | flags));
	struct nlattr *peers;

	mnl_nlmsg_put_extra_header(h, sizeof(struct genlmsghdr));
	if (is_first)
		mnl_attr_put_u16(h, WGDEVICE_A_LISTEN_PORT, 7);
	if (is_broken)
		mnl_attr_put_u8(h, WGDEVICE_A_FWMARK, 7);
	peers = mnl_attr_nest_start(h, WGDEVICE_A_PEERS);
	put_peer(h, 1, is_first ? 1 : 2);
	if (!is_first)
		put_peer(h, 2, 3);
	mnl_attr_nest_end(h, peers);
	end(k, h);
}

static void put_dump(struct kernel *k, enum answer answer)
{
	put_piece(k, 0, true, false);
	if (answer == DUMP_FAILS) {
		put_number(k, NLMSG_DONE, NLM_F_MULTI, -ENOBUFS);
		flush(k);
		return;
	}
	flush(k);
	put_piece(k, answer == DUMP_CHANGED ? NLM_F_DUMP_INTR : 0, false, answer == DUMP_BROKEN);
	flush(k);
	put_number(k, NLMSG_DONE, NLM_F_MULTI, 0);
	flush(k);
}

static void put_link(struct kernel *k, uint16_t flags, const char *name, const char *kind)
{
	struct nlmsghdr *h = begin(k, RTM_NEWLINK, (uint16_t)(NLM_F_MULTI | flags));
	struct nlattr *info;

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(h, info);
	end(k, h);
}

static void put_links(struct kernel *k, uint16_t flags)
{
	put_link(k, 0, "lo", "dummy");
	put_link(k, 0, "wgz", "wireguard");
	put_link(k, flags, "eth0", "veth");
	flush(k);
	put_link(k, flags, "wga", "wireguard");
	put_number(k, NLMSG_DONE, NLM_F_MULTI, 0);
	flush(k);
}

static void answer(struct kernel *k, int what)
{
	if (what < 0) {
		put_number(k, NLMSG_ERROR, 0, what);
		flush(k);
		return;
	}
	switch ((enum answer)what) {
	case FAMILY_IS:
	case FAMILY_NAMELESS:
		put_family(k, what == FAMILY_IS);
		break;
	case DUMP:
	case DUMP_CHANGED:
	case DUMP_FAILS:
	case DUMP_BROKEN:
		put_dump(k, (enum answer)what);
		break;
	case ACK:
		put_number(k, NLMSG_ERROR, 0, 0);
		flush(k);
		break;
	case LINKS:
	case LINKS_CHANGED:
		put_links(k, what == LINKS_CHANGED ? NLM_F_DUMP_INTR : 0);
		break;
	case TOO_BIG:
		k->len = NETLINK_PIECE + 4;
		flush(k);
		break;
	case END:
		break;
	}
}

/* The name it is about, if it is about one. */
static void note_name(struct kernel *k, const struct nlmsghdr *request)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	const size_t len = strlen(k->names);

	if (request->nlmsg_type != FAMILY)
		return;
	netlink_walk_message(&w, request, sizeof(struct genlmsghdr));
	while (netlink_walk_next(&w, &a))
		if (a.type == WGDEVICE_A_IFNAME && !strstr(k->names, (const char *)a.bytes))
			(void)snprintf(k->names + len, sizeof(k->names) - len, "%s ",
				       (const char *)a.bytes);
}

static void *serve(void *ctx)
{
	_Alignas(8) uint8_t request[16384];
	struct kernel *k = ctx;

	for (; *k->script != END; ++k->script) {
		if (recv(k->fd, request, sizeof(request), 0) <= 0)
			break;
		++k->requests;
		note_name(k, (const struct nlmsghdr *)(const void *)request);
		answer(k, *k->script);
	}
	close(k->fd);
	return NULL;
}

static int kernel_start(struct kernel *k, const int *script)
{
	int ends[2];

	*k = (struct kernel){ .script = script };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	k->fd = ends[1];
	assert_int_equal(pthread_create(&k->thread, NULL, serve, k), 0);
	return ends[0];
}

static void kernel_join(struct kernel *k, int fd, unsigned int requests)
{
	close(fd);
	assert_int_equal(pthread_join(k->thread, NULL), 0);
	assert_int_equal(k->requests, requests);
}

static struct kernel kernel; /* too big for a stack */

static void get_rows(void **state)
{
	static const struct {
		const char *name;
		int script[8];
		int error;
		unsigned int requests;
	} rows[] = {
		{ "well", { FAMILY_IS, DUMP }, 0, 2 },
		{ "no driver", { -ENOENT }, -EPROTONOSUPPORT, 1 },
		{ "no number", { FAMILY_NAMELESS }, -EPROTONOSUPPORT, 1 },
		{ "look-up refused", { -EPERM }, -EPERM, 1 },
		{ "no device", { FAMILY_IS, -ENODEV }, -ENODEV, 2 },
		{ "other kind", { FAMILY_IS, -EOPNOTSUPP }, -EOPNOTSUPP, 2 },
		{ "not allowed", { FAMILY_IS, -EPERM }, -EPERM, 2 },
		{ "changed", { FAMILY_IS, DUMP_CHANGED, DUMP }, 0, 3 },
		{ "changed often",
		  { FAMILY_IS, DUMP_CHANGED, DUMP_CHANGED, DUMP_CHANGED, DUMP },
		  0,
		  5 },
		{ "changed and went", { FAMILY_IS, DUMP_CHANGED, -ENODEV }, -ENODEV, 3 },
		{ "interrupted", { FAMILY_IS, -EINTR, DUMP }, 0, 3 },
		{ "fails late", { FAMILY_IS, DUMP_FAILS }, -ENOBUFS, 2 },
		{ "malformed", { FAMILY_IS, DUMP_BROKEN }, -EPROTO, 2 },
		{ "does not fit", { FAMILY_IS, TOO_BIG }, -EMSGSIZE, 2 },
		{ "hangs up", { FAMILY_IS }, -EPROTO, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int fd = kernel_start(&kernel, rows[i].script);
		struct model m;
		int error;

		model_init(&m);
		error = wg_netlink_get_over(fd, "wg7", &m);
		if (error == -EPIPE || error == -ECONNRESET)
			error = -EPROTO; /* a socket's way to hang up; netlink has none */
		if (error != rows[i].error)
			fail_msg("%s: %d", rows[i].name, error);
		kernel_join(&kernel, fd, rows[i].requests);
		assert_int_equal(m.peer_count, error ? 0 : 2);
		if (!error) {
			assert_string_equal(kernel.names, "wg7 ");
			assert_int_equal(m.listen_port, 7);
			assert_int_equal(m.peers[0].allowed_count, 2);
			assert_int_equal(m.peers[1].allowed[0].prefix.ip.bytes[3], 3);
		}
		model_done(&m);
	}
}

static void make_patch(struct model *m, size_t peers)
{
	model_init(m);
	for (size_t i = 0; i < peers; ++i) {
		struct model_peer *p = model_add_peer(m);

		assert_non_null(p);
		store64_le(p->public_key.bytes, i);
	}
}

/* A peer of a key alone takes 40 bytes: a page holds (4096 - 32) / 40 = 101, two hold 204. */
static void set_rows(void **state)
{
	static const struct {
		const char *name;
		size_t peers;
		int script[8];
		int error;
		unsigned int requests;
		bool settles; /* some, but not all */
	} rows[] = {
		{ "device alone", 0, { FAMILY_IS, ACK }, 0, 2, false },
		{ "one", 1, { FAMILY_IS, ACK }, 0, 2, false },
		{ "no driver", 1, { -ENOENT }, -EPROTONOSUPPORT, 1, false },
		{ "no device", 1, { FAMILY_IS, -ENODEV }, -ENODEV, 2, false },
		{ "first refused", 400, { FAMILY_IS, -EADDRINUSE, ACK }, -EADDRINUSE, 2, false },
		{ "second refused", 400, { FAMILY_IS, ACK, -EINVAL, ACK }, -EINVAL, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int fd = kernel_start(&kernel, rows[i].script);
		size_t settled = 99;
		struct model patch;

		make_patch(&patch, rows[i].peers);
		if (wg_netlink_set_over(fd, "a-name-that-is-too-long", &patch, &settled) !=
		    rows[i].error)
			fail_msg("%s", rows[i].name);
		kernel_join(&kernel, fd, rows[i].requests);
		if (kernel.requests > 1)
			assert_string_equal(kernel.names, "a-name-that-is- ");
		assert_int_equal(settled > 0 && settled < rows[i].peers, rows[i].settles);
		if (!rows[i].error)
			assert_int_equal(settled, rows[i].peers);
		model_done(&patch);
	}
}

static int note(void *ctx, const char *name)
{
	char *names = ctx;

	strcat(strcat(names, name), " ");
	return strcmp(name, "stop") == 0 ? -ECANCELED : 0;
}

static int stop(void *ctx, const char *name)
{
	(void)note(ctx, name);
	return -ECANCELED;
}

static void list_rows(void **state)
{
	static const struct {
		int script[2];
		wg_netlink_found *found;
		int error;
		const char *names;
	} rows[] = {
		{ { LINKS }, note, 0, "wgz wga " },
		{ { LINKS_CHANGED }, note, 0, "wgz wga " },
		{ { LINKS }, stop, -ECANCELED, "wgz " },
		{ { -EPERM }, note, -EPERM, "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int fd = kernel_start(&kernel, rows[i].script);
		char names[64] = "";

		assert_int_equal(wg_netlink_list_over(fd, rows[i].found, names), rows[i].error);
		assert_string_equal(names, rows[i].names);
		kernel_join(&kernel, fd, 1);
	}
}

/* The true kernel: a name that can't be, and a list that may be empty but must not fail. */
static void real_kernel(void **state)
{
	char names[4096] = "";
	struct model m;

	(void)state;
	model_init(&m);
	assert_int_equal(wg_netlink_get("sixteen-letters!", &m), -ENAMETOOLONG);
	assert_int_equal(wg_netlink_list(note, names), 0);
	model_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_rows),
		cmocka_unit_test(set_rows),
		cmocka_unit_test(list_rows),
		cmocka_unit_test(real_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
