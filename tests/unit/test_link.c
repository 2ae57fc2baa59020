#include "device/link.h"

#include <dirent.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/tun.h"
#include "namespace.h"

enum { WAIT_MS = 10000 };

static struct tun tun;
static struct link link_of_tun;

static int set_up(void **state)
{
	struct diag why = { 0 };

	(void)state;
	test_namespace_enter();
	assert_int_equal(tun_open(&(struct tun_config){ .name = "t0" }, &why, &tun), 0);
	assert_int_equal(link_open(&tun, &link_of_tun), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	link_close(&link_of_tun);
	tun_close(&tun);
	return 0;
}

static bool handle(void)
{
	struct pollfd p = { .fd = link_of_tun.fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	return link_handle(&link_of_tun);
}

static void expect(bool up, bool moved, bool gone, unsigned int mtu)
{
	const struct link_state *const s = &link_of_tun.state;

	assert_int_equal(s->is_up, up);
	assert_int_equal(s->is_moved, moved);
	assert_int_equal(s->is_gone, gone);
	assert_int_equal(s->mtu, mtu);
}

static void up_down_and_mtu_are_followed(void **state)
{
	(void)state;
	expect(false, false, false, 1420);
	assert_false(link_handle(&link_of_tun));
	test_link_up("t0", true);
	assert_true(handle());
	expect(true, false, false, 1420);
	test_link_mtu("t0", 1280);
	assert_true(handle());
	expect(true, false, false, 1280);
	test_link_up("t0", false);
	assert_true(handle());
	expect(false, false, false, 1280);
	assert_false(link_handle(&link_of_tun));
	assert_false(link_refresh(&link_of_tun));
}

static void the_state_at_the_start_is_told(void **state)
{
	struct link again;

	(void)state;
	test_link_up("t0", true);
	test_link_mtu("t0", 9000);
	assert_int_equal(link_open(&tun, &again), 0);
	assert_true(again.state.is_up);
	assert_int_equal(again.state.mtu, 9000);
	assert_int_equal(again.ifindex, if_nametoindex("t0"));
	link_close(&again);
	assert_int_equal(again.fd, -1);
}

static void a_new_name_changes_nothing(void **state)
{
	(void)state;
	test_link_rename("t0", "t1");
	assert_false(handle());
	expect(false, false, false, 1420);
	test_link_up("t1", true);
	assert_true(handle());
	expect(true, false, false, 1420);
}

static void links_of_others_change_nothing(void **state)
{
	struct diag why = { 0 };
	struct tun other;

	(void)state;
	assert_int_equal(tun_open(&(struct tun_config){ .name = "t8" }, &why, &other), 0);
	test_link_up("t8", true);
	test_link_mtu("t8", 1300);
	assert_false(handle());
	tun_close(&other);
	assert_false(handle());
	expect(false, false, false, 1420);
}

static void lost_events_are_made_up_for(void **state)
{
	struct pollfd p = { .fd = link_of_tun.fd, .events = POLLIN };
	int small = 1;

	(void)state;
	assert_int_equal(setsockopt(link_of_tun.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
			 0);
	for (int i = 0; i < 300; ++i)
		test_link_mtu("lo", 60000 + i);
	test_link_up("t0", true);
	test_link_mtu("t0", 1300);
	while (poll(&p, 1, 0) > 0)
		(void)link_handle(&link_of_tun);
	expect(true, false, false, 1300);
	test_link_mtu("lo", 65536);
}

static void fp12_deleted_tun_is_gone_not_spinning(void **state)
{
	struct pollfd p = { .fd = link_of_tun.fd, .events = POLLIN };

	(void)state;
	test_link_up("t0", true);
	assert_true(handle());
	test_link_delete("t0");
	while (!link_of_tun.state.is_gone)
		(void)handle();
	expect(false, false, true, 1420);
	(void)link_handle(&link_of_tun);
	assert_int_equal(poll(&p, 1, 0), 0); /* nothing more to wake for */
	assert_false(link_refresh(&link_of_tun));
}

/* A link of the same name in our namespace is not ours. */
static void another_one_of_its_name_is_not_it(void **state)
{
	struct diag why = { 0 };
	struct tun other;
	pid_t holder;
	const int there = test_namespace_other(&holder);

	(void)state;
	test_link_move("t0", there);
	assert_int_equal(tun_open(&(struct tun_config){ .name = "t0" }, &why, &other), 0);
	test_link_up("t0", true);
	test_link_mtu("t0", 1300);
	(void)handle();
	expect(false, true, false, 1420);
	tun_close(&other);
	(void)link_handle(&link_of_tun);
	expect(false, true, false, 1420);
	close(there);
	test_namespace_end(holder);
}

static unsigned int count_fds(void)
{
	DIR *const d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		++n;
	(void)closedir(d); /* only read */
	return n;
}

static void in_namespace(int namespace, void (*act)(void))
{
	const int here = test_namespace_here();

	test_namespace_switch(namespace);
	act();
	test_namespace_switch(here);
	close(here);
}

static void start_there(void)
{
	test_link_mtu("t0", 1350);
	test_link_up("t0", true);
}

static void rename_there(void)
{
	test_link_rename("t0", "moved");
}

static void stop_there(void)
{
	test_link_up("moved", false);
}

static void a_moved_one_is_followed_by_events(void **state)
{
	pid_t holder;
	const int there = test_namespace_other(&holder);
	const unsigned int fds = count_fds();

	(void)state;
	test_link_up("t0", true);
	assert_true(handle());
	test_link_move("t0", there);
	assert_true(handle());
	expect(false, true, false, 1420); /* moving takes a link down */
	in_namespace(there, start_there);
	while (!link_of_tun.state.is_up)
		(void)handle();
	expect(true, true, false, 1350);
	in_namespace(there, rename_there);
	assert_false(handle());
	in_namespace(there, stop_there);
	while (link_of_tun.state.is_up)
		(void)handle();
	expect(false, true, false, 1350);
	assert_int_equal(count_fds(), fds);
	close(there);
	test_namespace_end(holder);
}

static int home;

static void send_home(void)
{
	test_link_move("t0", home);
}

static void one_that_comes_back_is_followed_again(void **state)
{
	pid_t holder;
	const int there = test_namespace_other(&holder);

	(void)state;
	home = test_namespace_here();
	test_link_move("t0", there);
	(void)handle();
	expect(false, true, false, 1420);
	in_namespace(there, send_home);
	while (link_of_tun.state.is_moved)
		(void)handle();
	test_link_up("t0", true);
	while (!link_of_tun.state.is_up)
		(void)handle();
	expect(true, false, false, 1420);
	close(home);
	close(there);
	test_namespace_end(holder);
}

static void fp13_namespace_of_tun_dies(void **state)
{
	struct pollfd p = { .fd = tun.fd, .events = POLLIN };
	uint8_t header[OFFLOAD_HEADER], packet[64] = { 0x45 };
	pid_t holder;
	const int there = test_namespace_other(&holder);

	(void)state;
	test_link_move("t0", there);
	(void)handle();
	in_namespace(there, start_there);
	while (!link_of_tun.state.is_up)
		(void)handle();
	expect(true, true, false, 1350);
	close(there);
	test_namespace_end(holder); /* nobody holds it now, so it dies, soon */
	do {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	} while (!(p.revents & POLLERR) && tun_read(&tun, 0, header, packet, sizeof(packet)) >= 0);
	assert_true(p.revents & POLLERR);
	assert_int_equal(tun_read(&tun, 0, header, packet, sizeof(packet)), -EBADFD);
	assert_int_equal(tun_write_packet(&tun, 0, packet, 20), -EBADFD);
	assert_true(link_refresh(&link_of_tun));
	expect(false, true, true, 1350);
}

static void look_here(void *ctx)
{
	(void)ctx;
	test_drop_capabilities();
	assert_true(link_handle(&link_of_tun));
	expect(true, false, false, 1400);
}

static void look_away(void *ctx)
{
	(void)ctx;
	test_drop_capabilities();
	(void)link_handle(&link_of_tun);
	expect(true, true, false, 1400);
	assert_false(link_refresh(&link_of_tun));
}

/* A process that may not ask for namespaces, but opened the link when it still might. */
static void without_privilege_it_is_taken_to_be_up(void **state)
{
	pid_t holder;
	const int there = test_namespace_other(&holder);

	(void)state;
	test_link_up("t0", true);
	test_link_mtu("t0", 1400);
	test_in_child(look_here, NULL);
	assert_true(
		link_refresh(&link_of_tun)); /* the child took the events of the shared socket */
	test_link_move("t0", there);
	test_in_child(look_away, NULL);
	close(there);
	test_namespace_end(holder);
}

/* A fixture cannot skip. */
static void without_a_namespace_there_is_nothing_to_test(void **state)
{
	(void)state;
	test_namespace_enter();
}

#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(up_down_and_mtu_are_followed),
		LINK_TEST(the_state_at_the_start_is_told),
		LINK_TEST(a_new_name_changes_nothing),
		LINK_TEST(links_of_others_change_nothing),
		LINK_TEST(lost_events_are_made_up_for),
		LINK_TEST(fp12_deleted_tun_is_gone_not_spinning),
		LINK_TEST(another_one_of_its_name_is_not_it),
		LINK_TEST(a_moved_one_is_followed_by_events),
		LINK_TEST(one_that_comes_back_is_followed_again),
		LINK_TEST(fp13_namespace_of_tun_dies),
		LINK_TEST(without_privilege_it_is_taken_to_be_up),
	};

	const struct CMUnitTest none[] = {
		cmocka_unit_test(without_a_namespace_there_is_nothing_to_test),
	};

	if (!test_namespace_allowed())
		return cmocka_run_group_tests(none, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
