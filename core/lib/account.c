#include "core/lib/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/lib/worker.h"

/* NSS asks for a larger buffer with ERANGE. A group's entry has all its members in it. */
#define ENTRY_FIRST_SIZE 1024
#define ENTRY_MOST_SIZE	 (16 * 1024 * 1024)

/* How long a process repeats its look-ups, all together, and the pause between two tries. */
#define PATIENCE_MS 10000
#define PAUSE_US    100000

bool account_login_is_valid(const char *login)
{
	return text_is_made_of(login, TEXT_WORD ".", ACCOUNT_NAME_SIZE - 1) && login[0] != '-' &&
	       strspn(login, TEXT_DIGIT) != strlen(login);
}

static bool is_domain(const char *domain)
{
	return text_is_component(domain, ACCOUNT_NAME_SIZE - 1) && domain[0] != '-';
}

bool account_name_is_valid(const char *name)
{
	char copy[ACCOUNT_NAME_SIZE];
	if (!text_copy(copy, sizeof(copy), name))
		return false;
	char *separator = strpbrk(copy, "@\\");
	if (separator == NULL)
		return account_login_is_valid(copy);
	bool domain_is_last = *separator == '@';
	*separator = '\0';
	return is_domain(domain_is_last ? separator + 1 : copy) &&
	       account_login_is_valid(domain_is_last ? copy : separator + 1);
}

void account_directory_name(const char *name, char out[ACCOUNT_NAME_SIZE])
{
	(void)text_copy(out, ACCOUNT_NAME_SIZE, name);
	for (char *at = out; (at = strchr(at, '\\')) != NULL;)
		*at = '+';
}

static int copy_entry(const struct passwd *entry, struct account *account, struct error *err)
{
	const char *shell = entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh";
	if (!text_copy(account->name, sizeof(account->name), entry->pw_name) ||
	    !text_copy(account->home, sizeof(account->home), entry->pw_dir) ||
	    !text_copy(account->shell, sizeof(account->shell), shell))
		return error_set(err, ERROR_SYSTEM, "the entry of account %s is too long",
				 entry->pw_name);
	account->uid = entry->pw_uid;
	account->gid = entry->pw_gid;
	return 0;
}

/* The answer of all sources of nsswitch.conf(5) together. */
enum answer {
	ANSWER_FOUND,
	ANSWER_NONE, /* no such entry */
	NOT_ANSWERED,
	LOOK_UP_FAILED, /* with query->err; asking again is of no use */
};

struct query {
	/* Reads an entry with `room` for its texts. Returns what getpwnam_r(3) does. */
	int (*read)(struct query *query, char *room, size_t size, enum answer *answer);
	const char *name;	     /* of the entry; NULL: look for `id` */
	id_t id;		     /* a uid or gid */
	const char *member;	     /* to look for among a group's members; NULL: none */
	const struct account *whose; /* groups */
	/* The result goes to one of these: */
	struct account *account;
	struct account_group *group;
	struct account_groups *groups;
	int why; /* an errno, if there was no answer */
	struct error *err;
};

/*
 * True for errors of a source that could not be asked: no connection, descriptor or memory. A
 * source may leave other errors in errno, such as ENOENT, although it has answered.
 */
static bool is_no_answer(int code)
{
	static const int codes[] = {EAGAIN,	  EINTR,	EIO,	    EMFILE,    ENFILE,
				    ENOMEM,	  ENOBUFS,	EPIPE,	    ESTALE,    ECONNREFUSED,
				    ECONNRESET,	  ECONNABORTED, ENOTCONN,   ETIMEDOUT, EHOSTDOWN,
				    EHOSTUNREACH, ENETDOWN,	ENETUNREACH};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (code == codes[i])
			return true;
	return false;
}

/*
 * Asks until there is an answer or the time is over: a directory may be starting, and a lack of
 * descriptors may last only a moment. Returns 0, 1 if there is no such entry, or -1 with
 * query->err; `what` and `of` are for that: "account " "usr".
 */
static int look_up(struct query *query, enum answer (*once)(struct query *query), const char *what,
		   const char *of)
{
	static int64_t patience_ms = PATIENCE_MS;
	int64_t start = io_now_ms();
	int64_t spent = 0;
	enum answer answer = once(query);
	while (answer == NOT_ANSWERED && spent < patience_ms) {
		usleep(PAUSE_US);
		answer = once(query);
		spent = io_now_ms() - start;
	}
	patience_ms -= spent < patience_ms ? spent : patience_ms;
	if (answer == NOT_ANSWERED)
		return error_set(query->err, ERROR_SYSTEM,
				 "cannot look up %s%s: the directory of accounts and groups "
				 "(nsswitch.conf(5)) did not answer within %d seconds: %s; try "
				 "again later",
				 what, of, PATIENCE_MS / 1000, strerror(query->why));
	return answer == ANSWER_FOUND ? 0 : answer == ANSWER_NONE ? 1 : -1;
}

static enum answer ask_entry(struct query *query)
{
	for (size_t size = ENTRY_FIRST_SIZE; size <= ENTRY_MOST_SIZE; size *= 4) {
		enum answer answer = ANSWER_NONE;
		cleanup_free char *room = malloc(size);
		if (room == NULL) {
			error_set(query->err, ERROR_SYSTEM, "out of memory");
			return LOOK_UP_FAILED;
		}
		errno = 0;
		query->why = query->read(query, room, size, &answer);
		if (answer != ANSWER_NONE)
			return answer;
		if (query->why == 0 || query->why == ENOENT || query->why == ESRCH)
			return ANSWER_NONE;
		if (query->why != ERANGE)
			return NOT_ANSWERED;
	}
	error_set(query->err, ERROR_SYSTEM, "the entry of %s is too long",
		  query->group != NULL ? "a group" : "an account");
	return LOOK_UP_FAILED;
}

static int read_account(struct query *query, char *room, size_t size, enum answer *answer)
{
	struct passwd entry;
	struct passwd *found = NULL;
	int code = query->name != NULL ? getpwnam_r(query->name, &entry, room, size, &found)
				       : getpwuid_r(query->id, &entry, room, size, &found);
	if (found != NULL)
		*answer =
			query->account == NULL || copy_entry(found, query->account, query->err) == 0
				? ANSWER_FOUND
				: LOOK_UP_FAILED;
	return code;
}

int account_by_name(const char *name, struct account *account, struct error *err)
{
	struct query query = {.read = read_account, .name = name, .account = account, .err = err};
	if (!account_name_is_valid(name))
		return error_set(err, ERROR_DENIED, "'%s' cannot be the name of an account", name);
	int result = look_up(&query, ask_entry, "account ", name);
	if (result > 0)
		return error_set(err, ERROR_DENIED,
				 "there is no local account '%s': getent passwd '%s' must find it",
				 name, name);
	if (result != 0)
		return -1;
	if (strcmp(account->name, name) != 0)
		return error_set(err, ERROR_DENIED,
				 "the name '%s' belongs to an account that is named '%s'", name,
				 account->name);
	return 0;
}

/* 1 if there is no such account. */
static int find_uid(uid_t uid, struct account *account, struct error *err)
{
	char number[16];
	struct query query = {.read = read_account, .id = uid, .account = account, .err = err};
	snprintf(number, sizeof(number), "%u", (unsigned int)uid);
	return look_up(&query, ask_entry, "the account with uid ", number);
}

int account_by_uid(uid_t uid, struct account *account, struct error *err)
{
	int result = find_uid(uid, account, err);
	if (result > 0)
		return error_set(err, ERROR_SYSTEM, "there is no account with uid %u",
				 (unsigned int)uid);
	return result;
}

int account_find_uid(uid_t uid, struct error *err)
{
	return find_uid(uid, NULL, err);
}

int account_refuse_changed(const struct account *account, struct error *err)
{
	return error_set(err, ERROR_DENIED,
			 "account %s has another uid or gid than when the job began",
			 account->name);
}

int account_confirm(const struct account *account, struct error *err)
{
	struct account now = {.name = ""};
	if (account_by_name(account->name, &now, err) != 0)
		return -1;
	if (now.uid != account->uid || now.gid != account->gid)
		return account_refuse_changed(account, err);
	return 0;
}

int account_of_process(struct account *account, struct error *err)
{
	return account_by_uid(geteuid(), account, err);
}

static int look_up_own(const void *argument, void *reply, struct error *err)
{
	(void)argument;
	return account_of_process(reply, err);
}

void account_name_of_process(char name[ACCOUNT_NAME_SIZE])
{
	struct account own;
	struct error ignored;
	if (worker_run(look_up_own, NULL, &own, sizeof(own), &ignored) == 0)
		memcpy(name, own.name, sizeof(own.name));
}

static int compare_gids(const void *a, const void *b)
{
	gid_t one = *(const gid_t *)a;
	gid_t other = *(const gid_t *)b;
	return one < other ? -1 : one > other;
}

void account_groups_sort(struct account_groups *groups)
{
	size_t kept = 0;
	qsort(groups->gids, groups->count, sizeof(groups->gids[0]), compare_gids);
	for (size_t i = 0; i < groups->count; i++)
		if (kept == 0 || groups->gids[kept - 1] != groups->gids[i])
			groups->gids[kept++] = groups->gids[i];
	groups->count = kept;
}

static enum answer list_groups(struct query *query, struct account_groups *groups)
{
	int found = ACCOUNT_GROUPS_MOST;
	errno = 0;
	int result = getgrouplist(query->whose->name, query->whose->gid, groups->gids, &found);
	query->why = errno;
	if (is_no_answer(query->why))
		return NOT_ANSWERED;
	if (result < 0) {
		error_set(query->err, ERROR_SYSTEM,
			  "%s is in %d groups; an account that runs jobs may be in %d at most",
			  query->whose->name, found, ACCOUNT_GROUPS_MOST);
		return LOOK_UP_FAILED;
	}
	groups->count = (size_t)found;
	account_groups_sort(groups);
	return ANSWER_FOUND;
}

/*
 * getgrouplist cannot report that a source failed: it returns the groups of the other sources, or
 * the primary group alone. So it is called twice, and only two equal answers count.
 */
static enum answer ask_groups(struct query *query)
{
	struct account_groups second;
	enum answer answer = list_groups(query, query->groups);
	if (answer == ANSWER_FOUND)
		answer = list_groups(query, &second);
	if (answer != ANSWER_FOUND)
		return answer;
	query->why = EAGAIN;
	return query->groups->count == second.count &&
			       memcmp(query->groups->gids, second.gids,
				      second.count * sizeof(second.gids[0])) == 0
		       ? ANSWER_FOUND
		       : NOT_ANSWERED;
}

int account_groups(const struct account *account, struct account_groups *groups, struct error *err)
{
	struct query query = {.whose = account, .groups = groups, .err = err};
	return look_up(&query, ask_groups, "the groups of ", account->name) == 0 ? 0 : -1;
}

bool account_groups_have(const struct account_groups *groups, gid_t gid)
{
	return bsearch(&gid, groups->gids, groups->count, sizeof(gid), compare_gids) != NULL;
}

/* True if the group has a member other than the account of that name. */
static bool has_other_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member != NULL; member++)
		if (strcmp(*member, name) != 0)
			return true;
	return false;
}

static int read_group(struct query *query, char *room, size_t size, enum answer *answer)
{
	struct account_group *group = query->group;
	struct group entry;
	struct group *found = NULL;
	int code = query->name != NULL ? getgrnam_r(query->name, &entry, room, size, &found)
				       : getgrgid_r(query->id, &entry, room, size, &found);
	if (found == NULL)
		return code;
	group->gid = found->gr_gid;
	group->has_member = false;
	for (char **member = found->gr_mem; query->member != NULL && *member != NULL; member++)
		group->has_member = group->has_member || strcmp(*member, query->member) == 0;
	group->has_others = query->member != NULL && has_other_member(found, query->member);
	if (!text_copy(group->name, sizeof(group->name), found->gr_name))
		group->name[0] = '\0';
	*answer = ANSWER_FOUND;
	return code;
}

int account_group_by_name(const char *name, const char *member, struct account_group *group,
			  struct error *err)
{
	struct query query = {
		.read = read_group, .name = name, .member = member, .group = group, .err = err};
	return look_up(&query, ask_entry, "the group ", name);
}

int account_group_by_gid(gid_t gid, const char *member, struct account_group *group,
			 struct error *err)
{
	char number[16];
	struct query query = {
		.read = read_group, .id = gid, .member = member, .group = group, .err = err};
	snprintf(number, sizeof(number), "%u", (unsigned int)gid);
	return look_up(&query, ask_entry, "the group with gid ", number);
}

/*
 * Whether an account other than query->whose and root is in the group query->id, by all entries
 * that the sources list: several groups may have one gid, of which getgrgid(3) finds the first.
 */
static enum answer ask_for_others(struct query *query)
{
	const struct account *own = query->whose;
	const struct passwd *account;
	const struct group *group;
	bool has_own = false;
	bool has_others = false;
	setpwent();
	for (errno = 0; (account = getpwent()) != NULL; errno = 0) {
		has_own = has_own || account->pw_uid == own->uid;
		has_others = has_others || (account->pw_gid == query->id && account->pw_uid != 0 &&
					    account->pw_uid != own->uid);
	}
	query->why = errno;
	endpwent();
	setgrent();
	for (errno = 0; (group = getgrent()) != NULL; errno = 0)
		has_others = has_others ||
			     (group->gr_gid == query->id && has_other_member(group, own->name));
	query->why = is_no_answer(query->why) ? query->why : errno;
	endgrent();
	if (has_others)
		return ANSWER_FOUND;
	if (is_no_answer(query->why))
		return NOT_ANSWERED;
	if (has_own)
		return ANSWER_NONE;
	/* Large directories find an account by its name, but do not list it. */
	error_set(query->err, ERROR_SYSTEM, "getent passwd does not list the account %s",
		  own->name);
	return LOOK_UP_FAILED;
}

/* The list of members may be hidden: then it lacks also an account that is in the group. */
static int check_members_are_listed(const struct account *account, gid_t gid, struct error *err)
{
	struct account_groups groups;
	if (account_groups(account, &groups, err) != 0)
		return -1;
	return account_groups_have(&groups, gid)
		       ? error_set(err, ERROR_SYSTEM, "getent group does not list its members")
		       : 0;
}

int account_is_alone_in_group(const struct account *account, gid_t gid, struct error *err)
{
	struct account_group group = {.has_others = false};
	int missing = account_group_by_gid(gid, account->name, &group, err);
	if (missing < 0 || group.has_others)
		return missing < 0 ? -1 : 0;
	if (!group.has_member && gid != account->gid &&
	    check_members_are_listed(account, gid, err) != 0)
		return -1;
	struct query query = {.id = gid, .whose = account, .err = err};
	return look_up(&query, ask_for_others, "the members of a group of ", account->name);
}

int account_group_name(gid_t gid, char name[ACCOUNT_NAME_SIZE], struct error *err)
{
	struct account_group found = {.gid = 0};
	int result = account_group_by_gid(gid, NULL, &found, err);
	if (result < 0)
		return -1;
	if (result > 0 || found.name[0] == '\0')
		return error_set(err, ERROR_SYSTEM, "there is no group with gid %u",
				 (unsigned int)gid);
	memcpy(name, found.name, sizeof(found.name));
	return 0;
}
