/*
 * A process that does not want to end with its job: does what its arguments say, from left to
 * right. Whatever it becomes, an alarm ends it before long: a test leaves nothing behind for good.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST_LIFE 150 /* seconds */

/* Who called a daemon waits for this to be closed: until it is what it is to become. */
static int unready = -1;

static void be_ready(void)
{
	close(unready);
	unready = -1;
}

static void be_daemon(void)
{
	int ends[2];
	char byte;
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(1);
	pid_t child = fork();
	if (child > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ends[0]);
	setsid();
	if (child < 0 || fork() != 0)
		_exit(0);
	alarm(LONGEST_LIFE);
	unready = ends[1];
}

static void ignore_signals(void)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGTSTP};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		signal(numbers[i], SIG_IGN);
}

static void let_go_of_log(void)
{
	int null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	close(null);
}

/* As ssh-agent does it: nobody but root may look into it. */
static void hide(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* A child that traces us, and stops us before every signal. */
static void be_traced(void)
{
	int ready[2];
	char byte;
	pid_t traced = getpid();
	if (pipe(ready) != 0)
		exit(1);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	pid_t tracer = fork();
	if (tracer == 0) {
		int status;
		alarm(LONGEST_LIFE);
		if (ptrace(PTRACE_ATTACH, traced, NULL, NULL) != 0)
			_exit(1);
		waitpid(traced, &status, __WALL);
		ptrace(PTRACE_CONT, traced, NULL, NULL);
		(void)!write(ready[1], "x", 1);
		/* What comes for the traced process is not handed on. */
		for (;;)
			if (waitpid(traced, &status, __WALL) > 0 && WIFSTOPPED(status))
				ptrace(PTRACE_CONT, traced, NULL, NULL);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
}

static void say_ready(void)
{
	printf("stray is ready\n");
	fflush(stdout);
	be_ready();
}

/*
 * Each generation is a zombie until the system's first process reaps it. On a busy host that takes
 * its time, and without a bound no pid would be left for anybody.
 */
#define GENERATIONS 10000

/* Never the same pid for long, nor, with `sessions`, the same session and process group. */
static void keep_forking(bool sessions)
{
	say_ready();
	for (int i = 0; i < GENERATIONS; i++) {
		pid_t child = fork();
		if (child > 0)
			_exit(0);
		if (child < 0)
			usleep(1000);
		if (sessions)
			setsid();
		alarm(LONGEST_LIFE);
		usleep(100);
	}
}

static void be_comet(void)
{
	keep_forking(false);
}

static void be_comet_of_sessions(void)
{
	keep_forking(true);
}

/* A word that only has to be on the command line. */
static void do_nothing(void)
{
}

/* As many processes as the limit lets there be, each of them trying for more. */
static void explode(rlim_t most)
{
	struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
	setrlimit(RLIMIT_NPROC, &limit);
	say_ready();
	for (;;) {
		pid_t child = fork();
		if (child == 0)
			alarm(LONGEST_LIFE);
		else if (child < 0)
			usleep(500);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void be_bomb(void)
{
	explode(50);
}

/* Sessions of their own, so that no process group leads to them. */
static void be_big_bomb(void)
{
	for (int i = 0; i < 10; i++)
		if (fork() == 0)
			setsid();
	explode(3000);
}

/* One more process: an orphan in a session of its own. False if the limit does not let it be. */
static bool fork_orphan(void)
{
	int status = 0;
	pid_t child = fork();
	if (child < 0)
		return false;
	if (child > 0)
		return waitpid(child, &status, 0) == child && status == 0;
	setsid();
	child = fork();
	if (child != 0)
		_exit(child > 0 ? 0 : 1);
	alarm(LONGEST_LIFE);
	return true;
}

/*
 * 3,000 orphans, each of which forks another one when it can. At the limit each waits before it
 * tries again: otherwise a machine with few processors does nothing else for minutes.
 */
static void be_swarm(void)
{
	struct rlimit limit = {.rlim_cur = 3000, .rlim_max = 3000};
	setrlimit(RLIMIT_NPROC, &limit);
	say_ready();
	for (;;)
		if (!fork_orphan())
			sleep(5);
}

/* Kills all that it may, again and again; kill(2) leaves out who calls it. */
static void be_killer(void)
{
	be_ready();
	for (;;)
		kill(-1, SIGKILL);
}

/* Stops all that it may, in the same way. */
static void be_stopper(void)
{
	be_ready();
	for (;;)
		kill(-1, SIGSTOP);
}

static bool is_jacamar(pid_t pid)
{
	char path[32];
	char name[16] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	int fd = open(path, O_RDONLY);
	bool is =
		fd >= 0 && read(fd, name, sizeof(name) - 1) > 0 && strncmp(name, "jacamar", 7) == 0;
	close(fd);
	return is;
}

/* Once its own sub-stage has ended, sends a signal to each jacamar as soon as it sees it. */
static void hunt(int signal_number)
{
	while (!is_jacamar(getppid()))
		usleep(1000);
	pid_t supervisor = getppid();
	be_ready();
	while (getppid() == supervisor)
		usleep(1000);
	for (;;) {
		DIR *processes = opendir("/proc");
		const struct dirent *entry;
		while (processes != NULL && (entry = readdir(processes)) != NULL) {
			pid_t pid = atoi(entry->d_name);
			if (pid > 0 && is_jacamar(pid))
				kill(pid, signal_number);
		}
		closedir(processes);
	}
}

static void be_hunter(void)
{
	hunt(SIGKILL);
}

static void be_trapper(void)
{
	hunt(SIGSTOP);
}

static void stop(void)
{
	be_ready();
	raise(SIGSTOP);
}

static void live_on(void)
{
	be_ready();
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*act)(void);
} WORDS[] = {
	{"daemon", be_daemon},	    {"ignore", ignore_signals},
	{"close", let_go_of_log},   {"hide", hide},
	{"traced", be_traced},	    {"comet", be_comet},
	{"bomb", be_bomb},	    {"killer", be_killer},
	{"stopper", be_stopper},    {"hunter", be_hunter},
	{"trapper", be_trapper},    {"stop", stop},
	{"ready", say_ready},	    {"live", live_on},
	{"big-bomb", be_big_bomb},  {"comet-of-sessions", be_comet_of_sessions},
	{"swarm", be_swarm},	    {"--no-auth", do_nothing},
	{"env-script", do_nothing},
};

static void act(const char *word)
{
	for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); i++)
		if (strcmp(WORDS[i].name, word) == 0)
			return WORDS[i].act();
	fprintf(stderr, "stray: what is %s?\n", word);
	exit(64);
}

int main(int argc, char **argv)
{
	alarm(LONGEST_LIFE);
	for (int i = 1; i < argc; i++) {
		/* An environment is what a process was executed with. */
		if (strcmp(argv[i], "forget") != 0) {
			act(argv[i]);
			continue;
		}
		char *nothing[] = {NULL};
		argv[i] = argv[0];
		execve(argv[0], argv + i, nothing);
		return 1;
	}
	return 0;
}
