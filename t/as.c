/*
 * as HOME-OF-ROOT ACCOUNT [NAME=VALUE]... COMMAND [ARGUMENT]...: executes the command as the
 * account, from /, with HOME, PATH and the variables that are named as its whole environment. The
 * tests do so thousands of times, and getent, setpriv and env take three times as long.
 *
 * Root has the home that is given, so that a test does not touch root's own.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "as: %s: %s\n", what, errno != 0 ? strerror(errno) : "no such account");
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fputs("usage: as HOME-OF-ROOT ACCOUNT [NAME=VALUE]... COMMAND [ARGUMENT]...\n",
		      stderr);
		return EXIT_FAILURE;
	}
	errno = 0;
	const struct passwd *account = getpwnam(argv[2]);
	if (account == NULL)
		fail(argv[2]);
	const char *home = account->pw_uid == 0 ? argv[1] : account->pw_dir;
	const char *path = getenv("PATH");
	if (initgroups(account->pw_name, account->pw_gid) != 0 ||
	    setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
	    setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0 || chdir("/") != 0)
		fail(argv[2]);
	char *searched = path != NULL ? strdup(path) : NULL;
	if (clearenv() != 0 || setenv("HOME", home, 1) != 0 ||
	    (searched != NULL && setenv("PATH", searched, 1) != 0))
		fail("the environment");
	char **words = argv + 3;
	while (*words != NULL && strchr(*words, '=') != NULL)
		if (putenv(*words++) != 0)
			fail("the environment");
	if (*words == NULL) {
		fputs("as: no command is given\n", stderr);
		return EXIT_FAILURE;
	}
	execvp(*words, words);
	fail(*words);
}
