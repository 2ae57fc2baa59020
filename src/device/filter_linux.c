#include "device/filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"

enum { PROGRAM_MAX = 1024, PREFIX = 3 };

/* Whatever the arguments. */
static const int allowed[] = {
	/* packets and messages */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	/* waiting, and what time it is */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), /* all that arm64 has */
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll), /* likewise */
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	/* clients and sockets that come and go */
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(close),
	SCMP_SYS(dup3),
	/* the records */
	SCMP_SYS(pwrite64),
	SCMP_SYS(fallocate),
	/* memory and threads */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(getrandom),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(getpid), /* abort asks both */
	SCMP_SYS(gettid),
};

/*
 * With one or two arguments looked at: (argument & mask) == value. Ourselves only: other engines
 * may have the same uid.
 */
static const struct {
	int call;
	unsigned int count;
	struct scmp_arg_cmp only[2];
} restricted[] = {
	/* memory is never made executable */
	{ SCMP_SYS(mmap), 1, { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } } },
	{ SCMP_SYS(mprotect), 1, { { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } } },
	/* threads, not processes */
	{ SCMP_SYS(clone), 1, { { 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD } } },
	/* a helper steps back behind the packets */
	{ SCMP_SYS(setpriority),
	  2,
	  { { 0, SCMP_CMP_EQ, PRIO_PROCESS, 0 }, { 1, SCMP_CMP_EQ, 0, 0 } } },
	/* a doorman preempts nobody */
	{ SCMP_SYS(sched_setscheduler),
	  2,
	  { { 0, SCMP_CMP_EQ, 0, 0 }, { 1, SCMP_CMP_EQ, SCHED_BATCH, 0 } } },
	/* the doorman steers messages to its lanes */
	{ SCMP_SYS(setsockopt),
	  2,
	  { { 1, SCMP_CMP_EQ, SOL_SOCKET, 0 }, { 2, SCMP_CMP_EQ, SO_ATTACH_REUSEPORT_CBPF, 0 } } },
	/* the zones of link-local addresses, through a socket that it has (base/zone.h) */
	{ SCMP_SYS(ioctl), 1, { { 1, SCMP_CMP_EQ, SIOCGIFINDEX, 0 } } },
	{ SCMP_SYS(ioctl), 1, { { 1, SCMP_CMP_EQ, SIOCGIFNAME, 0 } } },
	/* who a client of the UAPI is */
	{ SCMP_SYS(getsockopt), 1, { { 1, SCMP_CMP_EQ, SOL_SOCKET, 0 } } },
};

size_t filter_size(void)
{
	return ELEMENTS(allowed) + ELEMENTS(restricted) + 1; /* and tgkill */
}

/* An architecture may lack a call of the list (EFAULT, EDOM): then nobody calls it. */
static bool is_added(int error)
{
	return error == 0 || error == -EFAULT || error == -EDOM;
}

/* abort, and of nobody else. */
static int add_abort(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp only[] = { { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 },
					     { 2, SCMP_CMP_EQ, SIGABRT, 0 } };

	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), ELEMENTS(only), only);
}

static int add_rules(scmp_filter_ctx ctx)
{
	int error = 0;

	for (size_t i = 0; i < ELEMENTS(allowed) && is_added(error); ++i)
		error = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < ELEMENTS(restricted) && is_added(error); ++i)
		error = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, restricted[i].call,
					       restricted[i].count, restricted[i].only);
	if (is_added(error))
		error = add_abort(ctx);
	/* Its flags stand in memory, where a filter can't look: the C library then takes clone. */
	if (is_added(error))
		error = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return is_added(error) ? 0 : error;
}

/* The program as the kernel wants it, behind what ret holds already. Its length, or -errno. */
static int export(scmp_filter_ctx ctx, struct sock_filter *ret, size_t room)
{
	const int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t len;
	int error;

	if (fd < 0)
		return -errno;
	error = seccomp_export_bpf(ctx, fd);
	len = error ? error : pread(fd, ret, room * sizeof(*ret), 0);
	if (len < 0 && !error)
		error = -errno;
	close(fd);
	return error ? error : (int)((size_t)len / sizeof(*ret));
}

static int make(struct sock_filter *ret, size_t room)
{
	const scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error;

	if (!ctx)
		return -ENOMEM;
	error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!error)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree */
	if (!error)
		error = add_rules(ctx);
	if (!error)
		error = export(ctx, ret, room);
	seccomp_release(ctx);
	return error;
}

/*
 * A tracer that makes a call fail turns its number into -1, which the kernel answers with ENOSYS.
 * libseccomp has no word for it. SPEC_ALLOW: an engine runs no code of others, and old kernels
 * would slow a filtered process down for fear of that.
 */
int filter_install(void)
{
	struct sock_filter program[PROGRAM_MAX] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)-1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const int len = make(program + PREFIX, PROGRAM_MAX - PREFIX);
	const struct sock_fprog all = { .len = (unsigned short)(len + PREFIX), .filter = program };

	if (len < 0)
		return len;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &all)
		       ? -errno
		       : 0;
}
