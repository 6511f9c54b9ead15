/*
 * living ACCOUNT|UID: the processes of the account that are not dead, a line "STATE PID COMMAND
 * LINE" each; 1 if there are none, 64 if there is no such account. The tests ask thousands of
 * times, and ps takes five times as long.
 *
 * The account is that of the real user ID, as with `ps -U`.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of /proc/PID, up to `size` - 1 bytes of it; -1 if the process is gone. */
static ssize_t read_file(int proc, const char *pid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "%s/%s", pid, name);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t length = read(fd, text, size - 1);
	close(fd);
	if (length >= 0)
		text[length] = '\0';
	return length;
}

/* The state's letter if it is a process of that account that is not dead, otherwise 0. */
static char state_of(int proc, const char *pid, uid_t uid)
{
	char status[4096];
	if (read_file(proc, pid, "status", status, sizeof(status)) <= 0)
		return 0;
	const char *state = strstr(status, "\nState:\t");
	const char *uids = strstr(status, "\nUid:\t");
	if (state == NULL || uids == NULL || strtoul(uids + 6, NULL, 10) != uid)
		return 0;
	state += 8;
	return strchr("ZX", *state) == NULL ? *state : 0;
}

static void show(int proc, const char *pid, char state)
{
	char words[4096];
	ssize_t length = read_file(proc, pid, "cmdline", words, sizeof(words));
	for (ssize_t i = 0; i + 1 < length; i++)
		if (words[i] == '\0' || words[i] == '\n')
			words[i] = ' ';
	if (length <= 0 && read_file(proc, pid, "comm", words, sizeof(words)) > 0)
		words[strcspn(words, "\n")] = '\0';
	printf("%c %s %s\n", state, pid, words);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: living ACCOUNT|UID\n", stderr);
		return 64;
	}
	bool is_number = isdigit((unsigned char)argv[1][0]);
	const struct passwd *account = is_number ? NULL : getpwnam(argv[1]);
	if (!is_number && account == NULL) {
		fprintf(stderr, "living: there is no account %s\n", argv[1]);
		return 64;
	}
	uid_t uid = is_number ? (uid_t)strtoul(argv[1], NULL, 10) : account->pw_uid;
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	bool any = false;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		char state = state_of(dirfd(proc), entry->d_name, uid);
		if (state == 0)
			continue;
		show(dirfd(proc), entry->d_name, state);
		any = true;
	}
	if (proc != NULL)
		closedir(proc);
	return any ? EXIT_SUCCESS : EXIT_FAILURE;
}
