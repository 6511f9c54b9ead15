/*
 * A source of accounts for nsswitch.conf(5) that fails when it is told to: libnss_NAME.so.2, where
 * NAME is what it is compiled for.
 *
 * What it knows, and how it fails, is in files of the directory CONTROL:
 *
 *   passwd, group    the entries, as passwd(5) and group(5) have them
 *   getpwnam, getpwuid, getgrnam, getgrgid, initgroups
 *                    "STATUS ERRNO COUNT": that function fails so COUNT times (-1: always),
 *                    or, with the status "hang", does not return; where there is no such
 *                    file it answers
 *   NAME.asked       of each of them: a byte more with each question
 *   no-members       where it is there, no group has a list of members, as in large directories
 *   ignores-case     where it is there, an account is found by its name in any case
 *
 * It fails the program under test alone: what the tests look with goes on to see the accounts.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOIN_(name, function) _nss_##name##_##function
#define JOIN(name, function)  JOIN_(name, function)
#define SOURCE(function)      JOIN(NAME, function)

typedef enum nss_status status;

status SOURCE(getpwnam_r)(const char *, struct passwd *, char *, size_t, int *);
status SOURCE(getpwuid_r)(uid_t, struct passwd *, char *, size_t, int *);
status SOURCE(getgrnam_r)(const char *, struct group *, char *, size_t, int *);
status SOURCE(getgrgid_r)(gid_t, struct group *, char *, size_t, int *);
status SOURCE(initgroups_dyn)(const char *, gid_t, long *, long *, gid_t **, long, int *);

/* Which time this question is; the file's size counts them, whoever asks. */
static long count_question(const char *function)
{
	char path[256];
	struct stat asked = {.st_size = 0};
	snprintf(path, sizeof(path), CONTROL "/%s.asked", function);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd >= 0 && (write(fd, "x", 1) != 1 || fstat(fd, &asked) != 0))
		asked.st_size = 0;
	if (fd >= 0)
		close(fd);
	return (long)asked.st_size;
}

/* True where it fails this time, with *result and *error. */
static bool fails(const char *function, status *result, int *error)
{
	static const struct {
		const char *word;
		status value;
	} words[] = {{"TRYAGAIN", NSS_STATUS_TRYAGAIN},
		     {"UNAVAIL", NSS_STATUS_UNAVAIL},
		     {"NOTFOUND", NSS_STATUS_NOTFOUND}};
	char path[256];
	char word[32] = "";
	long most = 0;
	snprintf(path, sizeof(path), CONTROL "/%s", function);
	if (strncmp(program_invocation_short_name, "jacamar", 7) != 0)
		return false;
	long time = count_question(function);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	int got = fscanf(file, "%31s %d %ld", word, error, &most);
	fclose(file);
	if (got != 3 || (most >= 0 && time > most))
		return false;
	while (strcmp(word, "hang") == 0)
		pause();
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i].word) == 0)
			*result = words[i].value;
	return true;
}

static FILE *open_entries(const char *name, int *error)
{
	char path[256];
	snprintf(path, sizeof(path), CONTROL "/%s", name);
	FILE *file = fopen(path, "re");
	*error = errno;
	return file;
}

static bool is_named(const struct passwd *entry, const char *name)
{
	return access(CONTROL "/ignores-case", F_OK) == 0 ? strcasecmp(entry->pw_name, name) == 0
							  : strcmp(entry->pw_name, name) == 0;
}

/* By name, or, where that is NULL, by uid. */
static status find_account(const char *name, uid_t uid, struct passwd *entry, char *room,
			   size_t size, int *error)
{
	struct passwd *found = NULL;
	FILE *file = open_entries("passwd", error);
	int code = 0;
	if (file == NULL)
		return NSS_STATUS_UNAVAIL;
	while ((code = fgetpwent_r(file, entry, room, size, &found)) == 0)
		if (name != NULL ? is_named(entry, name) : entry->pw_uid == uid)
			break;
	fclose(file);
	*error = code;
	return code == 0	? NSS_STATUS_SUCCESS
	       : code == ERANGE ? NSS_STATUS_TRYAGAIN
				: NSS_STATUS_NOTFOUND;
}

static status find_group(const char *name, gid_t gid, struct group *entry, char *room, size_t size,
			 int *error)
{
	struct group *found = NULL;
	FILE *file = open_entries("group", error);
	int code = 0;
	if (file == NULL)
		return NSS_STATUS_UNAVAIL;
	while ((code = fgetgrent_r(file, entry, room, size, &found)) == 0)
		if (name != NULL ? strcmp(entry->gr_name, name) == 0 : entry->gr_gid == gid)
			break;
	fclose(file);
	if (code == 0 && access(CONTROL "/no-members", F_OK) == 0)
		entry->gr_mem[0] = NULL;
	*error = code;
	return code == 0	? NSS_STATUS_SUCCESS
	       : code == ERANGE ? NSS_STATUS_TRYAGAIN
				: NSS_STATUS_NOTFOUND;
}

status SOURCE(getpwnam_r)(const char *name, struct passwd *entry, char *room, size_t size,
			  int *error)
{
	status result;
	return fails("getpwnam", &result, error) ? result
						 : find_account(name, 0, entry, room, size, error);
}

status SOURCE(getpwuid_r)(uid_t uid, struct passwd *entry, char *room, size_t size, int *error)
{
	status result;
	return fails("getpwuid", &result, error)
		       ? result
		       : find_account(NULL, uid, entry, room, size, error);
}

status SOURCE(getgrnam_r)(const char *name, struct group *entry, char *room, size_t size,
			  int *error)
{
	status result;
	return fails("getgrnam", &result, error) ? result
						 : find_group(name, 0, entry, room, size, error);
}

status SOURCE(getgrgid_r)(gid_t gid, struct group *entry, char *room, size_t size, int *error)
{
	status result;
	return fails("getgrgid", &result, error) ? result
						 : find_group(NULL, gid, entry, room, size, error);
}

static bool is_member(char *const *members, const char *user)
{
	for (; *members != NULL; members++)
		if (strcmp(*members, user) == 0)
			return true;
	return false;
}

/* Adds the groups that have the user among their members; the caller's array grows as needed. */
status SOURCE(initgroups_dyn)(const char *user, gid_t primary, long *start, long *size,
			      gid_t **groups, long limit, int *error)
{
	status result;
	struct group entry;
	struct group *found = NULL;
	char room[4096];
	if (fails("initgroups", &result, error))
		return result;
	FILE *file = open_entries("group", error);
	if (file == NULL)
		return NSS_STATUS_UNAVAIL;
	while (fgetgrent_r(file, &entry, room, sizeof(room), &found) == 0) {
		if (entry.gr_gid == primary || !is_member(entry.gr_mem, user))
			continue;
		if (*start == *size) {
			gid_t *grown = limit <= 0 || *size < limit
					       ? realloc(*groups, 2 * (size_t)*size * sizeof(gid_t))
					       : NULL;
			if (grown == NULL)
				break;
			*groups = grown;
			*size *= 2;
		}
		(*groups)[(*start)++] = entry.gr_gid;
	}
	fclose(file);
	*error = 0;
	return NSS_STATUS_SUCCESS;
}
