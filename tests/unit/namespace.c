#include "namespace.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { NOBODY = 65534 };

struct request {
	struct nlmsghdr header;
	uint8_t body[256];
};

static void start(struct request *r, int type, const void *body, size_t len)
{
	*r = (struct request){ 0 };
	r->header.nlmsg_type = (uint16_t)type;
	r->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	r->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(len);
	memcpy(r->body, body, len);
}

static void attribute(struct request *r, unsigned short type, const void *data, size_t len)
{
	const struct rtattr a = { (unsigned short)RTA_LENGTH(len), type };
	uint8_t *const at = (uint8_t *)r + NLMSG_ALIGN(r->header.nlmsg_len);

	memcpy(at, &a, sizeof(a));
	memcpy(at + RTA_LENGTH(0), data, len);
	r->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(a.rta_len));
}

static void perform(const struct request *r)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[512];
	} answer = { 0 };

	assert_true(fd >= 0);
	assert_true(send(fd, r, r->header.nlmsg_len, 0) >= 0);
	assert_true(recv(fd, &answer, sizeof(answer), 0) >= 0);
	close(fd);
	assert_int_equal(answer.header.nlmsg_type, NLMSG_ERROR);
	assert_int_equal(answer.error.error, 0);
}

static void change_link(const char *name, unsigned short type, const void *data, size_t len)
{
	const struct ifinfomsg m = { .ifi_index = (int)if_nametoindex(name) };
	struct request r;

	assert_int_not_equal(m.ifi_index, 0);
	start(&r, RTM_NEWLINK, &m, sizeof(m));
	attribute(&r, type, data, len);
	perform(&r);
}

void test_link_up(const char *name, bool up)
{
	const struct ifinfomsg m = { .ifi_index = (int)if_nametoindex(name),
				     .ifi_flags = up ? IFF_UP : 0,
				     .ifi_change = IFF_UP };
	struct request r;

	assert_int_not_equal(m.ifi_index, 0);
	start(&r, RTM_NEWLINK, &m, sizeof(m));
	perform(&r);
}

void test_link_mtu(const char *name, int mtu)
{
	change_link(name, IFLA_MTU, &mtu, sizeof(mtu));
}

void test_link_rename(const char *name, const char *to)
{
	change_link(name, IFLA_IFNAME, to, strlen(to) + 1);
}

void test_link_move(const char *name, int namespace)
{
	change_link(name, IFLA_NET_NS_FD, &namespace, sizeof(namespace));
}

void test_link_delete(const char *name)
{
	const struct ifinfomsg m = { .ifi_index = (int)if_nametoindex(name) };
	struct request r;

	assert_int_not_equal(m.ifi_index, 0);
	start(&r, RTM_DELLINK, &m, sizeof(m));
	perform(&r);
}

/*
 * The kernel installs the route to an IPv6 address of its own a moment after it has said yes; until
 * then what comes for it is dropped.
 */
static void wait_for_route(const uint8_t *ip)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	char line[256], want[40];
	bool found = false;

	for (size_t i = 0; i < 16; ++i)
		(void)snprintf(want + 2 * i, 3, "%02x", ip[i]);
	strcat(want, " 80");
	for (int i = 0; !found && i < 5000; ++i) {
		FILE *const f = fopen("/proc/thread-self/net/ipv6_route", "re");

		assert_non_null(f);
		while (!found && fgets(line, sizeof(line), f))
			found = strncmp(line, want, strlen(want)) == 0;
		(void)fclose(f); /* only read */
		(void)nanosleep(&moment, NULL);
	}
	assert_true(found);
}

void test_link_address(const char *name, const char *ip, unsigned int bits, bool add)
{
	const bool is_v6 = strchr(ip, ':') != NULL;
	const struct ifaddrmsg m = { .ifa_family = is_v6 ? AF_INET6 : AF_INET,
				     .ifa_prefixlen = (uint8_t)bits,
				     .ifa_flags = is_v6 ? IFA_F_NODAD : 0,
				     .ifa_index = if_nametoindex(name) };
	const size_t len = is_v6 ? 16 : 4;
	uint8_t bytes[16];
	struct request r;

	assert_int_equal(inet_pton(m.ifa_family, ip, bytes), 1);
	start(&r, add ? RTM_NEWADDR : RTM_DELADDR, &m, sizeof(m));
	if (add)
		r.header.nlmsg_flags |= NLM_F_CREATE;
	attribute(&r, IFA_LOCAL, bytes, len);
	attribute(&r, IFA_ADDRESS, bytes, len);
	perform(&r);
	if (is_v6 && add)
		wait_for_route(bytes);
}

void test_sysctl(const char *path, const char *value)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

bool test_namespace_allowed(void)
{
	static bool entered;

	if (entered)
		return true;
	if (unshare(CLONE_NEWNET) < 0)
		return false;
	entered = true;
	test_link_up("lo", true);
	return true;
}

void test_namespace_enter(void)
{
	if (test_namespace_allowed())
		return;
	print_message("a network namespace: %s\n", strerror(errno));
	skip();
}

void test_namespace_switch(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

int test_namespace_here(void)
{
	const int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

int test_namespace_other(pid_t *ret_holder)
{
	char path[64], byte = 0;
	int ready[2], fd;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	*ret_holder = fork();
	assert_true(*ret_holder >= 0);
	if (*ret_holder == 0) {
		/* else its copies of our descriptors keep devices alive */
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], &byte, 1) != 1 ||
		    close_range(0, ~0U, 0) < 0)
			_exit(1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)*ret_holder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void test_namespace_end(pid_t holder)
{
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}

void test_drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { 0 };

	assert_int_equal(syscall(SYS_capset, &header, none), 0);
}

struct as_user {
	void (*run)(void *ctx);
	void *ctx;
};

static void become_user(void *ctx)
{
	const struct as_user *a = ctx;

	assert_int_equal(setgid(NOBODY), 0);
	assert_int_equal(setuid(NOBODY), 0);
	a->run(a->ctx);
}

void test_in_child(void (*run)(void *ctx), void *ctx)
{
	pid_t pid;
	int status;

	(void)fflush(stdout); /* else the child prints it again */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* else a failed assertion goes on with the next test, in the child */
		if (setenv("CMOCKA_TEST_ABORT", "1", 1) == 0)
			run(ctx);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

void test_in_child_as_user(void (*run)(void *ctx), void *ctx)
{
	struct as_user a = { run, ctx };

	test_in_child(become_user, &a);
}
