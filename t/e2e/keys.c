/*
 * Kernel keys of an account, as keyrings(7) has them.
 *
 *   keys session COMMAND [ARGUMENT]...   executes it with a session keyring of its own
 *   keys fill                            takes all keys that the account may have, and each that
 *                                        becomes free later, until it is killed; prints its pid
 *                                        when none is left
 *   keys clear                           gives them back
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel gives back the keyring of a process some time after its end. The keys are used up once
 * none has become free in this many looks in a row.
 */
#define LOOKS	 500
#define PAUSE_US 1000

/* Nobody waits longer for a test. */
#define GIVE_UP_S 300

static int fill(void)
{
	int looks = 0;
	alarm(GIVE_UP_S);
	for (int i = 0;; i++) {
		char name[32];
		snprintf(name, sizeof(name), "key%d", i);
		if (syscall(SYS_add_key, "user", name, "x", 1, KEY_SPEC_USER_KEYRING) >= 0) {
			looks = 0;
			continue;
		}
		if (errno != EDQUOT)
			return 1;
		if (++looks == LOOKS) {
			printf("%d\n", getpid());
			fflush(stdout);
		}
		usleep(PAUSE_US);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "fill") == 0)
		return fill();
	if (strcmp(what, "clear") == 0)
		return syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_USER_KEYRING) != 0;
	if (strcmp(what, "session") != 0 || argc < 3 ||
	    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		return 77;
	execvp(argv[2], argv + 2);
	return 77;
}
