#include "core/lib/account.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/name_service.h"
#include "core/lib/text.h"
#include "core/lib/worker.h"

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

static int read_account(struct name_query *query, char *room, size_t size, enum name_answer *answer)
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
	struct name_query query = {
		.read = read_account, .name = name, .account = account, .err = err};
	if (!account_name_is_valid(name))
		return error_set(err, ERROR_DENIED, "'%s' cannot be the name of an account", name);
	int result = name_service_look_up(&query, name_service_ask_entry, "account ");
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
	struct name_query query = {.read = read_account, .id = uid, .account = account, .err = err};
	return name_service_look_up(&query, name_service_ask_entry, "the account with uid ");
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
