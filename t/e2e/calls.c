/*
 * calls: makes calls that a filter may refuse, and says of each, one a line, `NAME: ok` or why not.
 * Those on a terminal are made on one of its own, in a session of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result)
{
	printf("%s: %s\n", name, result >= 0 ? "ok" : strerror(errno));
	fflush(stdout);
}

static int open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (setsid() < 0 || master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		exit(1);
	/* The first terminal that is opened becomes that of the session. */
	int terminal = open(ptsname(master), O_RDWR);
	if (terminal < 0)
		exit(1);
	return terminal;
}

static void try_terminal(void)
{
	struct winsize size;
	int terminal = open_terminal();
	say("TIOCSTI", ioctl(terminal, TIOCSTI, "x"));
	say("TIOCSTI with more bits",
	    syscall(SYS_ioctl, terminal, TIOCSTI | 0xffffffff00000000UL, "x"));
	say("TIOCLINUX", ioctl(terminal, TIOCLINUX, "\2"));
	say("TIOCGWINSZ", ioctl(terminal, TIOCGWINSZ, &size));
#ifdef __x86_64__
	/* As a 32-bit program makes it; where the kernel runs none, this is the end. */
	long result;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54L), "b"((long)terminal), "c"((long)TIOCSTI), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	errno = -(int)result;
	say("TIOCSTI of 32 bits", (int)result < 0 ? -1 : 0);
#endif
}

int main(void)
{
	char fifo[] = "/tmp/calls.XXXXXX";
	pid_t child = fork();
	if (child == 0) {
		try_terminal();
		return 0;
	}
	if (child < 0 || waitpid(child, NULL, 0) != child)
		return 1;
	if (mkdtemp(fifo) == NULL)
		return 1;
	rmdir(fifo);
	say("mkfifo", mkfifo(fifo, 0600));
	unlink(fifo);
	say("setuid to 0", setuid(0));
	say("setuid to itself", setuid(getuid()));
	say("getppid", getppid());
	return 0;
}
