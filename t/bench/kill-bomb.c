/*
 * kill-bomb cgroup|walk [COUNT [MOUNT]]: how many milliseconds it takes until a fork bomb of COUNT
 * (3000) processes is gone, killed by cgroup.kill or by the walk over /proc. They ignore SIGTERM,
 * fork twice into sessions of their own, and keep trying to fork. Root runs it; cgroup v2 is
 * mounted on MOUNT (/sys/fs/cgroup). Run it alone: the bomb uses all processors. After `make`:
 *
 *   cc -std=gnu17 -D_GNU_SOURCE -O2 -I. -o build/t/kill-bomb t/bench/kill-bomb.c \
 *           build/libjacamar.a -linih -ljansson -lcap-ng -ldl
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/process/process_tree.h"

#define BOMB_UID 2099990001

static char cgroup[64];

static int at(const char *file, int flags)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", cgroup, file);
	return open(path, flags | O_CLOEXEC);
}

static void put(const char *file, const char *text)
{
	int fd = at(file, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror(file);
		exit(1);
	}
	close(fd);
}

static long get(const char *file, const char *key)
{
	char text[256] = "";
	int fd = at(file, O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);
	close(fd);
	const char *found = size > 0 ? strstr(text, key) : NULL;
	return found != NULL ? atol(found + strlen(key)) : -1;
}

static long members(void)
{
	size_t size;
	long lines = 0;
	int fd = at("cgroup.procs", O_RDONLY);
	char *text = io_read_to_end(fd, 1024 * 1024, &size);
	for (const char *c = text; c != NULL && *c != '\0'; c++)
		lines += *c == '\n';
	free(text);
	close(fd);
	return lines;
}

static void explode(void)
{
	alarm(60);
	signal(SIGTERM, SIG_IGN);
	for (;;) {
		pid_t child = fork();
		if (child == 0) {
			alarm(60);
			setsid();
			if (fork() > 0)
				_exit(0);
		} else if (child < 0) {
			usleep(500);
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void start_bomb(const char *count)
{
	const struct rlimit limit = {(rlim_t)atol(count), (rlim_t)atol(count)};
	if (fork() != 0)
		return;
	put("cgroup.procs", "0");
	if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setresuid(BOMB_UID, BOMB_UID, BOMB_UID) != 0)
		exit(1);
	explode();
}

/* Waits until it has grown; the number of its processes. */
static long wait_for_bomb(long count)
{
	int64_t deadline = io_now_ms() + 20000;
	long reached;
	while ((reached = members()) < count * 98 / 100 && io_now_ms() < deadline)
		usleep(100000);
	return reached;
}

int main(int argc, char **argv)
{
	struct error err;
	const char *count = argc > 2 ? argv[2] : "3000";
	bool walk = argc > 1 && strcmp(argv[1], "walk") == 0;
	snprintf(cgroup, sizeof(cgroup), "%s/kill-bomb-%d", argc > 3 ? argv[3] : "/sys/fs/cgroup",
		 (int)getpid());
	if (mkdir(cgroup, 0755) != 0 || process_tree_adopt_orphans(&err) != 0) {
		perror(cgroup);
		return 1;
	}
	/* Nothing else ends the bomb for certain. */
	if (at("cgroup.kill", O_WRONLY) < 0) {
		perror("cgroup.kill");
		rmdir(cgroup);
		return 1;
	}
	start_bomb(count);
	long reached = wait_for_bomb(atol(count));
	int64_t start = io_now_ms();
	if (walk)
		(void)process_tree_kill_descendants(60000);
	else
		put("cgroup.kill", "1");
	while (get("cgroup.events", "populated ") != 0)
		usleep(1000);
	printf("%s: %ld processes, gone after %lld ms\n", walk ? "walk" : "cgroup.kill", reached,
	       (long long)(io_now_ms() - start));
	put("cgroup.kill", "1");
	while (waitpid(-1, NULL, 0) > 0)
		;
	return rmdir(cgroup);
}
