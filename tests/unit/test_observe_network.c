#include "net/observe.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "base/netlink.h"

/*
 * What becomes of answers that come otherwise than at once and well. There are seven dumps: links,
 * and of IPv4, then IPv6, addresses, routes and rules.
 */
enum answer { END, ROW, CHANGED, LATE, STALE, GARBAGE }; /* or a negative errno */
enum { DUMPS = 7, REQUESTS = 40 };

struct kernel {
	const int *script;
	int fd;
	pthread_t thread;
	uint32_t requests;
	uint16_t asked[REQUESTS]; /* type and family of each */
	uint32_t numbers[REQUESTS];
	_Alignas(8) uint8_t out[512];
	size_t len;
};

static struct nlmsghdr *begin(struct kernel *k, int type, int flags, uint32_t seq)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(k->out + k->len);

	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = (uint16_t)(NLM_F_MULTI | flags);
	h->nlmsg_seq = seq;
	return h;
}

static void end(struct kernel *k, const struct nlmsghdr *h)
{
	k->len += netlink_align(h->nlmsg_len);
}

static void put_number(struct kernel *k, int type, uint32_t seq, int number)
{
	struct nlmsghdr *h = begin(k, type, 0, seq);

	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(number)), &number, sizeof(number));
	end(k, h);
}

/* One row of the kind that was asked for. */
static void put_row(struct kernel *k, uint16_t type, uint8_t family, int flags, uint32_t seq)
{
	const struct ifinfomsg link = { .ifi_index = (int)k->requests };
	const struct ifaddrmsg address = { .ifa_family = family };
	const struct rtmsg route = { .rtm_family = family, .rtm_type = RTN_UNICAST };
	const struct fib_rule_hdr rule = { .family = family, .action = FR_ACT_TO_TBL };
	const uint8_t ip[16] = { 0 };
	struct nlmsghdr *h = begin(k, type - RTM_GETLINK + RTM_NEWLINK, flags, seq);

	if (type == RTM_GETLINK) {
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(link)), &link, sizeof(link));
		mnl_attr_put_strz(h, IFLA_IFNAME, "wg0");
	} else if (type == RTM_GETADDR) {
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(address)), &address, sizeof(address));
		mnl_attr_put(h, IFA_LOCAL, family == AF_INET ? 4 : 16, ip);
	} else if (type == RTM_GETROUTE) {
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(route)), &route, sizeof(route));
	} else {
		memcpy(mnl_nlmsg_put_extra_header(h, sizeof(rule)), &rule, sizeof(rule));
	}
	end(k, h);
}

static void answer(struct kernel *k, const struct nlmsghdr *request, int what)
{
	const uint16_t type = request->nlmsg_type;
	const uint8_t family = *(const uint8_t *)mnl_nlmsg_get_payload(request);
	const uint32_t seq = request->nlmsg_seq;

	memset(k->out, 0, sizeof(k->out));
	k->len = 0;
	k->numbers[k->requests] = seq;
	k->asked[k->requests++] = (uint16_t)(type << 8 | family);
	if (what == STALE)
		put_row(k, type, family, 0, seq - 1);
	else if (what == GARBAGE)
		k->len = 4; /* all zero */
	else if (what >= 0)
		put_row(k, type, family, what == CHANGED ? NLM_F_DUMP_INTR : 0, seq);
	if (what == LATE) {
		(void)send(k->fd, k->out, k->len, MSG_NOSIGNAL);
		k->len = 0;
	}
	put_number(k, what < 0 ? NLMSG_ERROR : NLMSG_DONE, seq, what < 0 ? what : 0);
	(void)send(k->fd, k->out, k->len, MSG_NOSIGNAL);
}

static void *serve(void *ctx)
{
	_Alignas(8) uint8_t request[512];
	struct kernel *k = ctx;

	for (; *k->script != END && k->requests < REQUESTS; ++k->script) {
		if (recv(k->fd, request, sizeof(request), 0) <= 0)
			break;
		answer(k, (const struct nlmsghdr *)(const void *)request, *k->script);
	}
	close(k->fd);
	return NULL;
}

static struct kernel kernel;

static int observe(const int *script, struct host_facts *ret)
{
	int ends[2], status;

	kernel = (struct kernel){ .script = script };
	host_facts_init(ret);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	kernel.fd = ends[1];
	assert_int_equal(pthread_create(&kernel.thread, NULL, serve, &kernel), 0);
	status = observe_network_over(ends[0], &ret->network);
	close(ends[0]);
	assert_int_equal(pthread_join(kernel.thread, NULL), 0);
	for (uint32_t i = 1; i < kernel.requests; ++i)
		assert_int_not_equal(kernel.numbers[i], kernel.numbers[i - 1]);
	return status;
}

static void asks_for_everything(void **state)
{
	static const int script[] = { ROW, ROW, ROW, ROW, ROW, ROW, ROW, END };
	static const uint16_t want[DUMPS] = {
		RTM_GETLINK << 8,
		RTM_GETADDR << 8 | AF_INET,
		RTM_GETADDR << 8 | AF_INET6,
		RTM_GETROUTE << 8 | AF_INET,
		RTM_GETROUTE << 8 | AF_INET6,
		RTM_GETRULE << 8 | AF_INET,
		RTM_GETRULE << 8 | AF_INET6,
	};
	struct host_facts h;

	(void)state;
	assert_int_equal(observe(script, &h), 0);
	assert_int_equal(kernel.requests, DUMPS);
	assert_memory_equal(kernel.asked, want, sizeof(want));
	assert_int_equal(h.network.link_count, 1);
	assert_int_equal(h.network.address_count, 2);
	assert_int_equal(h.network.route_count, 2);
	assert_int_equal(h.network.rule_count, 2);
	assert_int_equal(h.network.rules[1].family, FAMILY_V6);
	host_facts_done(&h);
}

static void rows_of_answers(void **state)
{
	static const struct {
		const char *name;
		int script[REQUESTS];
		int status;
		uint32_t requests;
		size_t links, addresses, routes, rules;
	} rows[] = {
		{ "in pieces", { LATE, LATE, LATE, LATE, LATE, LATE, LATE }, 0, 7, 1, 2, 2, 2 },
		{ "links changed",
		  { CHANGED, CHANGED, ROW, ROW, ROW, ROW, ROW, ROW, ROW },
		  0,
		  9,
		  1,
		  2,
		  2,
		  2 },
		{ "interrupted", { -EINTR, ROW, ROW, ROW, ROW, ROW, ROW, ROW }, 0, 8, 1, 2, 2, 2 },
		{ "all changed once",
		  { CHANGED, ROW, CHANGED, ROW, CHANGED, ROW, CHANGED, ROW, CHANGED, ROW, CHANGED,
		    ROW, CHANGED, ROW },
		  0,
		  14,
		  1,
		  2,
		  2,
		  2 },
		{ "routes never rest",
		  { ROW, ROW, ROW, CHANGED, CHANGED, CHANGED, CHANGED, CHANGED, CHANGED, CHANGED,
		    CHANGED, CHANGED, CHANGED, ROW, ROW, ROW },
		  0,
		  16,
		  1,
		  2,
		  2,
		  2 },
		{ "no IPv6",
		  { ROW, ROW, -EAFNOSUPPORT, ROW, -EAFNOSUPPORT, ROW, -EAFNOSUPPORT },
		  0,
		  7,
		  1,
		  1,
		  1,
		  1 },
		{ "no rules in this kernel",
		  { ROW, ROW, ROW, ROW, ROW, -EOPNOTSUPP, -EOPNOTSUPP },
		  0,
		  7,
		  1,
		  2,
		  2,
		  0 },
		{ "not allowed", { -EPERM }, -EPERM, 1, 0, 0, 0, 0 },
		{ "no memory there", { ROW, ROW, ROW, -ENOMEM }, -ENOMEM, 4, 1, 2, 0, 0 },
		{ "of another question", { ROW, STALE }, -EPROTO, 2, 1, 0, 0, 0 },
		{ "not a message", { ROW, ROW, GARBAGE }, -EPROTO, 3, 1, 1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct host_facts h;
		const int status = observe(rows[i].script, &h);

		if (status != rows[i].status || kernel.requests != rows[i].requests ||
		    h.network.link_count != rows[i].links ||
		    h.network.address_count != rows[i].addresses ||
		    h.network.route_count != rows[i].routes ||
		    h.network.rule_count != rows[i].rules)
			fail_msg("%s: %d, %u requests, %zu %zu %zu %zu", rows[i].name, status,
				 kernel.requests, h.network.link_count, h.network.address_count,
				 h.network.route_count, h.network.rule_count);
		host_facts_done(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_everything),
		cmocka_unit_test(rows_of_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
