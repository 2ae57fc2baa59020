#ifndef NAMESPACE_H
#define NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * A network namespace of the test's own, with lo up: nothing that a test does reaches the host.
 * Once per process. Skips the calling test, with the reason, where that is not allowed. The rest
 * works in the namespace the process is in at that time, and fails the test when it fails.
 */
void test_namespace_enter(void);
bool test_namespace_allowed(void);  /* the same, but leaves it to the caller to skip */
void test_namespace_switch(int fd); /* go to another one */
int test_namespace_here(void);      /* a descriptor of this one */
/* Another one, which lives until the process that holds it is ended. */
int test_namespace_other(pid_t *ret_holder);
void test_namespace_end(pid_t holder);

void test_link_up(const char *name, bool up);
void test_link_mtu(const char *name, int mtu);
void test_link_rename(const char *name, const char *to);
void test_link_delete(const char *name);
void test_link_move(const char *name, int namespace);
/* IPv4 or IPv6 address in text; an IPv6 one is usable at once. */
void test_link_address(const char *name, const char *ip, unsigned int bits, bool add);
void test_sysctl(const char *path, const char *value);

/* Run in a child; an assertion that fails there fails the test here. */
void test_in_child(void (*run)(void *ctx), void *ctx);
void test_in_child_as_user(void (*run)(void *ctx), void *ctx); /* another uid, no capability */
void test_drop_capabilities(void);                             /* still root, but powerless */

#endif
