#include "core/privilege/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/signals.h"
#include "core/lib/worker.h"
#include "core/privilege/confine_filter.h"
#include "core/privilege/confined_uids.h"
#include "core/privilege/downscope.h"

/* How long a child may take to exit after its answer, and after it was killed. */
#define EXIT_MOST_MS 200
#define PAUSE_MS     10

/* For a child with the network and a uid of its own: libcurl's resolver is a thread. */
#define THREADS_MOST 16

/* What libraries read for the network: resolver, proxies, certificates. */
static const char *const NETWORK_VARIABLES[] = {
	"ALL_PROXY",	 "HTTPS_PROXY", "LOCALDOMAIN", "NO_PROXY",    "RES_OPTIONS", "SSL_CERT_DIR",
	"SSL_CERT_FILE", "all_proxy",	"http_proxy",  "https_proxy", "no_proxy",
};

static struct {
	void *bytes;
	size_t size;
} secret;

/* What the child needs to know. */
struct child {
	const struct confinement *how;
	uid_t uid;    /* which the child becomes, if this process has privilege in reserve */
	int lifeline; /* nothing is written to it; its end of file means that the parent has ended
		       */
};

void confine_keep_secret(void *bytes, size_t size)
{
	secret.bytes = bytes;
	secret.size = size;
}

static bool is_for_the_network(const char *variable)
{
	size_t length = strcspn(variable, "=");
	for (size_t i = 0; i < sizeof(NETWORK_VARIABLES) / sizeof(NETWORK_VARIABLES[0]); i++)
		if (strlen(NETWORK_VARIABLES[i]) == length &&
		    strncmp(variable, NETWORK_VARIABLES[i], length) == 0)
			return true;
	return false;
}

/* The child's memory is a copy of the parent's. */
static void forget_secrets(void)
{
	char **kept = environ;
	if (secret.bytes != NULL)
		explicit_bzero(secret.bytes, secret.size);
	for (char **variable = environ; *variable != NULL; variable++) {
		if (is_for_the_network(*variable))
			*kept++ = *variable;
		else
			explicit_bzero(*variable, strlen(*variable));
	}
	*kept = NULL;
}

/* Closes all descriptors but the three standard ones, these two and the file. */
static int close_others(const struct confinement *how, int reply, int lifeline, struct error *err)
{
	int file = how->file != NULL ? *how->file : -1;
	int last = reply > lifeline ? reply : lifeline;
	last = file > last ? file : last;
	for (int fd = STDERR_FILENO + 1; fd < last; fd++)
		if (fd != reply && fd != lifeline && fd != file)
			close(fd);
	return io_close_from(last + 1, err);
}

/*
 * Makes the child die with its parent. PR_SET_PDEATHSIG does not work: the parent sends that
 * signal, and may not signal another uid. Here the child itself is the sender, when the write end
 * of the lifeline is closed. An attacker in the child could close the lifeline, but cannot stop the
 * timer, which kills the child when its time is over.
 */
static int die_with_parent(int lifeline, int64_t limit_ms, struct error *err)
{
	struct sigevent expiry = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	/* System calls, because before glibc 2.34 timer_create(3) is in another library. */
	const long limit[] = {0, 0, (long)(limit_ms / 1000 + 1), 0};
	struct pollfd parent = {.fd = lifeline, .events = POLLIN};
	int timer;
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &expiry, &timer) != 0 ||
	    syscall(SYS_timer_settime, timer, 0, limit, NULL) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot limit a confined process's time");
	if (fcntl(lifeline, F_SETOWN, getpid()) != 0 || fcntl(lifeline, F_SETSIG, SIGKILL) != 0 ||
	    fcntl(lifeline, F_SETFL, O_ASYNC | O_NONBLOCK) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot watch a confined process's parent");
	/* The parent may have ended before that. */
	if (poll(&parent, 1, 0) != 0)
		_exit(1);
	return 0;
}

/*
 * The limit counts the threads of all processes of the uid. A child that needs threads, for the
 * network, and has the uid of the service account gets no limit: that account's processes may
 * exceed it already.
 */
static int limit_processes(bool network, struct error *err)
{
	rlim_t most = network ? THREADS_MOST : 0;
	const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
	struct rlimit now;
	if (network && !confined_uids_have(geteuid()))
		return 0;
	if (setrlimit(RLIMIT_NPROC, &limit) != 0 || getrlimit(RLIMIT_NPROC, &now) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot limit a confined process");
	return now.rlim_cur == most && now.rlim_max == most
		       ? 0
		       : error_faked(err, "the limit of a confined process");
}

static int confine(const void *context, int answer, struct error *err)
{
	const struct child *child = context;
	const struct confinement *how = child->how;
	if (how->network)
		forget_secrets();
	/*
	 * Only config's answer may go to standard output. And the runner waits until both outputs
	 * are closed: a child that outlives its parent must not hold them.
	 */
	if (io_close_standard(err) != 0 || close_others(how, answer, child->lifeline, err) != 0 ||
	    privilege_confine(child->uid, err) != 0 ||
	    die_with_parent(child->lifeline, how->limit_ms, err) != 0 ||
	    limit_processes(how->network, err) != 0)
		return -1;
	return confine_filter_install(how->network, err);
}

/*
 * The child has another uid. If the service account may not signal it, a helper with that uid does.
 */
static void kill_child(pid_t child, uid_t uid)
{
	struct error err;
	struct downscope_return back;
	if (kill(child, SIGKILL) == 0 || errno != EPERM)
		return;
	pid_t helper = fork();
	if (helper == 0)
		_exit(downscope_act_as(uid, uid, &back, &err) == 0 ? kill(child, SIGKILL) != 0 : 1);
	while (helper > 0 && waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
}

/*
 * A child that an attacker has taken over may not exit, even after a proper answer. SIGCHLD is
 * blocked before the child is looked at, so that its exit cannot be missed. The signal may also be
 * that of another child, or of the helper of kill_child().
 */
static void end_child(pid_t child, uid_t uid, bool patient)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
	int64_t kill_at = io_now_ms() + (patient ? EXIT_MOST_MS : 0);
	sigset_t exits;
	sigset_t before;
	sigemptyset(&exits);
	sigaddset(&exits, SIGCHLD);
	sigprocmask(SIG_BLOCK, &exits, &before);
	while (waitpid(child, NULL, WNOHANG) == 0) {
		if (io_now_ms() >= kill_at) {
			kill_child(child, uid);
			kill_at += EXIT_MOST_MS;
		}
		(void)sigtimedwait(&exits, NULL, &pause);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int confine_run(const struct confinement *how,
		int (*work)(const void *argument, void *reply, struct error *err),
		const void *argument, void *reply, size_t reply_size, struct error *err)
{
	struct worker_verdict verdict;
	struct child child = {.how = how};
	int ends[2];
	cleanup_close int signals = how->cancellable ? signals_open(err) : -1;
	if ((how->cancellable && signals < 0) ||
	    (privilege_is_reserved() && confined_uids_choose(&child.uid, err) != 0))
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	child.lifeline = ends[0];
	struct worker worker = {
		.work = work,
		.argument = argument,
		.reply = reply,
		.reply_size = reply_size,
		.prepare = confine,
		.context = &child,
		.signals = signals,
		.deadline = io_now_ms() + how->limit_ms,
	};
	int started = worker_start(&worker, err);
	close(ends[0]);
	if (started != 0) {
		close(ends[1]);
		return -1;
	}
	int received = worker_receive(&worker, &verdict);
	if (worker.told)
		error_cancelled(err);
	else if (received != 0)
		error_errno(err, ERROR_SYSTEM, "a confined process has failed");
	close(worker.answer);
	end_child(worker.child, child.uid, received == 0);
	close(ends[1]);
	if (received != 0)
		return -1;
	return verdict.result == 0 ? 0 : error_accept(err, &verdict.error);
}
