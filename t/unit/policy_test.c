/* The rules: which accounts get no job, and in which order this is checked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "core/policy/policy.h"
#include "t/unit/suites.h"

#define MIN_UID 1000

static const struct account SERVICE = {.name = "gitlab-runner",
				       .uid = 999,
				       .gid = 999,
				       .home = "/home/gitlab-runner",
				       .shell = "/bin/bash"};

/*
 * The site: its accounts, their groups, and the answer of its script. The groups 1, 2, 3 and 5 have
 * the names that Linux has for them: daemon, bin, sys, tty.
 */
#define MOST_GROUPS 3
static struct {
	struct account accounts[2];
	gid_t groups[2][MOST_GROUPS];  /* of each; a 0 behind the last */
	const char *answer;	       /* the script's username; NULL: it refuses */
	const char *closed;	       /* what nologin says; NULL: the host is open */
	char asked[ACCOUNT_NAME_SIZE]; /* whose account the script was asked about */
	int lookups, questions;
} site;

static struct account account_with(const char *name, uid_t uid, const char *shell)
{
	struct account account = {.uid = uid, .gid = 100, .home = "/home/usr"};
	snprintf(account.name, sizeof(account.name), "%s", name);
	snprintf(account.shell, sizeof(account.shell), "%s", shell);
	return account;
}

static void open_site(void)
{
	memset(&site, 0, sizeof(site));
	site.accounts[0] = account_with("usr", 20001, "/bin/bash");
	site.accounts[1] = account_with("two", 20002, "/bin/bash");
	site.groups[0][0] = site.groups[1][0] = 100;
	site.answer = "";
}

static int site_account(const char *name, struct account *account, struct error *err)
{
	site.lookups++;
	for (size_t i = 0; i < 2; i++) {
		*account = site.accounts[i];
		if (strcmp(account->name, name) == 0)
			return 0;
	}
	return error_set(err, ERROR_DENIED, "there is no %s", name);
}

static int site_groups(const struct account *account, struct account_groups *groups,
		       struct error *err)
{
	const gid_t *own = site.groups[strcmp(account->name, site.accounts[0].name) != 0];
	(void)err;
	for (groups->count = 0; groups->count < MOST_GROUPS && own[groups->count] != 0;
	     groups->count++)
		groups->gids[groups->count] = own[groups->count];
	account_groups_sort(groups);
	return 0;
}

static int site_runas(const struct runas_settings *settings, const struct runas_question *question,
		      struct runas_answer *answer, struct error *err)
{
	ck_assert_ptr_nonnull(settings->validation_script);
	ck_assert_ptr_eq(question->service, &SERVICE);
	ck_assert_str_ne(question->claims->user_login, "");
	snprintf(site.asked, sizeof(site.asked), "%s", question->name);
	site.questions++;
	if (site.answer == NULL)
		return error_set(err, ERROR_DENIED, "the script refuses");
	snprintf(answer->username, sizeof(answer->username), "%s", site.answer);
	return 0;
}

static const char *site_nologin(char *text, size_t size)
{
	snprintf(text, size, "%s", site.closed != NULL ? site.closed : "");
	return site.closed != NULL ? "/etc/nologin" : NULL;
}

static const struct policy_sources SITE = {site_account, site_groups, site_runas, site_nologin};

static int site_half_of_groups(const struct account *account, struct account_groups *groups,
			       struct error *err)
{
	(void)site_groups(account, groups, err);
	return error_set(err, ERROR_SYSTEM, "no answer");
}

/* Checks whether the person of these claims may have a job. */
static int apply_claims(const struct auth_settings *settings, const struct claims *claims,
			struct applicant *applicant, struct error *err)
{
	*applicant = (struct applicant){
		.settings = settings, .sources = &SITE, .service = &SERVICE, .claims = claims};
	return policy_apply(applicant, err);
}

/* Checks whether `login` may have a job in a pipeline of `source`. */
static int apply(const struct auth_settings *settings, const char *login, const char *source,
		 struct applicant *applicant, struct error *err)
{
	static struct claims claims;
	memset(&claims, 0, sizeof(claims));
	snprintf(claims.user_login, sizeof(claims.user_login), "%s", login);
	snprintf(claims.pipeline_source, sizeof(claims.pipeline_source), "%s", source);
	snprintf(claims.user_email, sizeof(claims.user_email), "%s@example.com", login);
	snprintf(claims.issuer, sizeof(claims.issuer), "https://gitlab.example.com");
	return apply_claims(settings, &claims, applicant, err);
}

#define OPEN "; change the shell, or add it to auth.shell_allowlist"

#define NOBODY                                                                                    \
	"usr has uid 65534 (nobody), which stands for every unknown account, and no job runs as " \
	"that"

static const struct {
	uid_t uid;
	const char *shell;
	const char *allowed; /* the one shell of the allowlist; NULL: no list */
	const char *reason;  /* NULL: may have jobs */
} ACCOUNTS[] = {
	{1000, "/bin/bash", NULL, NULL},
	{65533, "/bin/zsh", NULL, NULL},
	{65534, "/bin/bash", NULL, NOBODY},
	{65534, "/sbin/nologin", "/sbin/nologin", NOBODY},
	{0, "/bin/bash", NULL, "usr is root, and no job runs as root"},
	{0, "/bin/bash", "/bin/bash", "usr is root, and no job runs as root"},
	{999, "/bin/bash", NULL,
	 "usr is the service account, and no job runs as the service account"},
	{998, "/bin/bash", NULL, "uid 998 of usr is below auth.min_uid, 1000"},
	{1000, "/sbin/nologin", NULL, "account usr is closed: its shell is /sbin/nologin" OPEN},
	{1000, "/usr/sbin/nologin", NULL,
	 "account usr is closed: its shell is /usr/sbin/nologin" OPEN},
	{1000, "/bin/false", NULL, "account usr is closed: its shell is /bin/false" OPEN},
	{1000, "nologin", NULL, "account usr is closed: its shell is nologin" OPEN},
	{1000, "/bin/falsetto", NULL, NULL},
	{1000, "/sbin/nologin", "/sbin/nologin", NULL},
	{1000, "/bin/bash", "/bin/bash", NULL},
	{1000, "/bin/zsh", "/bin/bash", "the shell /bin/zsh of usr is not in auth.shell_allowlist"},
	{998, "/sbin/nologin", NULL, "account usr is closed: its shell is /sbin/nologin" OPEN},
	{0, "/bin/zsh", "/bin/bash", "the shell /bin/zsh of usr is not in auth.shell_allowlist"},
	{1000, "/bin/bash2", "/bin/bash",
	 "the shell /bin/bash2 of usr is not in auth.shell_allowlist"},
};

START_TEST(an_account_is_held_against_the_rules)
{
	char *shells[] = {(char *)ACCOUNTS[_i].allowed};
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID, .min_uid = MIN_UID};
	struct applicant applicant;
	struct error err = {.detail = ""};
	open_site();
	site.accounts[0] = account_with("usr", ACCOUNTS[_i].uid, ACCOUNTS[_i].shell);
	if (ACCOUNTS[_i].allowed != NULL)
		settings.shell_allowlist = (struct string_list){.items = shells, .count = 1};

	int result = apply(&settings, "usr", "push", &applicant, &err);
	ck_assert_int_eq(result, ACCOUNTS[_i].reason == NULL ? 0 : -1);
	ck_assert_str_eq(applicant.account.name, "usr");
	if (result == 0)
		return;
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, ACCOUNTS[_i].reason);

	/* sudo is another way to the same account. */
	settings.downscope = DOWNSCOPE_SUDO;
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_str_eq(err.detail, ACCOUNTS[_i].reason);
}
END_TEST

static const struct {
	const char *login;
	bool bot;
} LOGINS[] = {
	{"usr", false},
	{"robot", false},
	{"my_bot", false},
	{"project_manager", false},
	{"group_", false},
	{"project_1_bot", true},
	{"project_278964_bot_0123456789abcdef", true},
	{"group_42_bot", true},
	{"group_42_bot_0123456789abcdef", true},
	{"group_bot", false},
	{"xproject_1_bot", false},
	{"Project_1_Bot", true},
	{"project__bot", false},
	{"service_account_57", true},
	{"service_account_group_345_c468757e6df2fc104de54ea470539bb5", true},
	{"Service_Account_1", true},
	{"service_accountant", false},
	{"my_service_account_1", false},
};

/* A login that is a person's, with mail addresses that may not be. */
static const struct {
	const char *mail;
	const char *issuer;
	const char *reason; /* NULL: a person */
} MAILS[] = {
	{"kim@example.com", "https://gitlab.example.com", NULL},
	{"kim@gitlab.example.com", "https://gitlab.example.com", NULL},
	{"noreply@example.com", "https://gitlab.example.com", NULL},
	{"kim@noreply.example.com", "https://gitlab.example.com", NULL},
	{"kim@xnoreply.gitlab.example.com", "https://gitlab.example.com", NULL},
	{"kim@noreply.gitlab.example.com.site", "https://gitlab.example.com", NULL},
	{"7+kim@users.noreply.github.com", "https://gitlab.example.com", NULL},
	{"service_account_group_1_x@noreply.gitlab.example.com", "https://gitlab.example.com",
	 "is a service account, by its mail address "
	 "service_account_group_1_x@noreply.gitlab.example.com"},
	{"service_account_1@noreply.old.example.com", "https://gitlab.example.com",
	 "is a service account, by its mail address"},
	{"SERVICE_ACCOUNT_1@EXAMPLE.COM", "https://gitlab.example.com",
	 "is a service account, by its mail address"},
	{"project1_bot@example.com", "https://gitlab.example.com",
	 "is a bot of a project or group, by its mail address"},
	{"project_1_bot_0a@noreply.gitlab.example.com", "https://gitlab.example.com",
	 "is a bot of a project or group, by its mail address"},
	{"kim@noreply.gitlab.example.com", "https://gitlab.example.com",
	 "is a machine account of the server, by its mail address kim@noreply."},
	{"kim@NoReply.GitLab.Example.com", "https://gitlab.example.com", "a machine account"},
	{"kim@noreply.gitlab.example.com.", "https://gitlab.example.com", "a machine account"},
	{"7-kim@users.noreply.gitlab.example.com", "https://gitlab.example.com",
	 "a machine account"},
	{"a@b@noreply.gitlab.example.com", "https://gitlab.example.com", "a machine account"},
	{"kim@noreply.gitlab.example.com", "https://GitLab.example.com:8443/gitlab",
	 "a machine account"},
	{"kim@noreply.gitlab.example.com", "gitlab.example.com", "a machine account"},
	{"kim@noreply.[fd00::1]", "https://[fd00::1]:8443", "a machine account"},
	{"kim@noreply.[fd00::1]", "[fd00::1]", "a machine account"},
	{"kim@noreply.[fd00::2]", "https://[fd00::1]:8443", NULL},
	{"kim@noreply.[fd00", "https://[fd00::1]", NULL},
	{"", "https://gitlab.example.com", "may be a machine account"},
	{"kim", "https://gitlab.example.com", "may be a machine account"},
	{"@example.com", "https://gitlab.example.com", "may be a machine account"},
	{"kim@", "https://gitlab.example.com", "may be a machine account"},
};

START_TEST(a_mail_address_tells_a_machine_whatever_its_login)
{
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID, .min_uid = MIN_UID};
	struct applicant applicant;
	struct error err = {.detail = ""};
	struct claims claims = {.user_login = "usr"};
	open_site();
	snprintf(claims.user_email, sizeof(claims.user_email), "%s", MAILS[_i].mail);
	snprintf(claims.issuer, sizeof(claims.issuer), "%s", MAILS[_i].issuer);
	int result = apply_claims(&settings, &claims, &applicant, &err);
	ck_assert_msg(result == (MAILS[_i].reason == NULL ? 0 : -1), "%s", err.detail);
	if (result != 0) {
		ck_assert_int_eq(err.kind, ERROR_DENIED);
		ck_assert_msg(strstr(err.detail, MAILS[_i].reason) != NULL, "%s", err.detail);
		ck_assert_ptr_nonnull(strstr(err.detail, "auth.allow_bot_accounts is not set"));
		ck_assert_int_eq(site.lookups, 0);
	}
	settings.allow_bot_accounts = true;
	ck_assert_int_eq(apply_claims(&settings, &claims, &applicant, &err), 0);
}
END_TEST

static const struct {
	uint64_t project_id, job_project_id;
	const char *project_path, *job_project_path;
	bool fork;
} PROJECTS[] = {
	{20, 20, "group/project", "group/project", false},
	{20, 20, "group/project", "Group/Project", false},
	{20, 0, "group/project", "", false},
	{0, 20, "", "group/project", false},
	{99, 20, "usr/project", "group/project", true},
	{99, 20, "group/project", "group/project", true},
	{20, 20, "usr/project", "group/project", true},
	{0, 20, "usr/project", "group/project", true},
	{99, 20, "", "group/project", true},
};

START_TEST(code_of_a_fork_is_run_where_the_site_allows_it)
{
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID, .min_uid = MIN_UID};
	struct applicant applicant;
	struct error err = {.notice = ""};
	struct claims claims = {.user_login = "usr",
				.user_email = "usr@example.com",
				.project_id = PROJECTS[_i].project_id,
				.job_project_id = PROJECTS[_i].job_project_id};
	open_site();
	snprintf(claims.project_path, sizeof(claims.project_path), "%s", PROJECTS[_i].project_path);
	snprintf(claims.job_project_path, sizeof(claims.job_project_path), "%s",
		 PROJECTS[_i].job_project_path);
	ck_assert_int_eq(apply_claims(&settings, &claims, &applicant, &err),
			 PROJECTS[_i].fork ? -1 : 0);
	if (PROJECTS[_i].fork) {
		ck_assert_int_eq(err.kind, ERROR_DENIED);
		ck_assert_ptr_eq(strstr(err.detail, "this pipeline runs code from the fork "),
				 err.detail);
		ck_assert_ptr_eq(strstr(err.notice, "this pipeline runs code from the fork "),
				 err.notice);
		ck_assert_ptr_nonnull(strstr(err.notice, PROJECTS[_i].project_path));
	}
	settings.allow_fork_pipelines = true;
	ck_assert_int_eq(apply_claims(&settings, &claims, &applicant, &err), 0);
}
END_TEST

static const struct {
	struct claims_identity identities[3];
	const char *reason; /* NULL: the account is the one that the identity names, "two" */
} IDENTITIES[] = {
	{{{"ldapmain", "uid=two,dc=example", "two"}}, NULL},
	{{{"saml", "usr", "usr"}, {"ldapmain", "two", "two"}, {"ldap", "usr", "usr"}}, NULL},
	{{{.provider = ""}}, "has no identity of the provider ldapmain, which"},
	{{{"saml", "two", "two"}}, "has no identity of the provider ldapmain, which"},
	{{{"LDAPMAIN", "two", "two"}}, "has no identity of the provider ldapmain, which"},
	{{{"ldapmain", "two", "two"}, {"ldapmain", "two", "two"}},
	 "has 2 identities of the provider ldapmain, which"},
	{{{"ldapmain", "two", "two"}, {"saml", "x", "x"}, {.provider = "ldapmain"}},
	 "has 2 identities of the provider ldapmain, which"},
	{{{"ldapmain", "ou=two", ""}}, "the identity 'ou=two' of usr names no account"},
	{{{.provider = "ldapmain"}}, "the identity '' of usr names no account"},
	{{{"ldapmain", "three", "three"}}, "there is no three"},
};

START_TEST(an_identity_gives_the_account_in_place_of_the_login)
{
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID,
					 .min_uid = MIN_UID,
					 .identity_provider = (char *)"ldapmain"};
	struct applicant applicant;
	struct error err = {.detail = ""};
	struct claims claims = {.user_login = "usr", .user_email = "usr@example.com"};
	open_site();
	memcpy(claims.identities, IDENTITIES[_i].identities, sizeof(IDENTITIES[_i].identities));
	int result = apply_claims(&settings, &claims, &applicant, &err);
	ck_assert_msg(result == (IDENTITIES[_i].reason == NULL ? 0 : -1), "%s", err.detail);
	if (result != 0) {
		ck_assert_int_eq(err.kind, ERROR_DENIED);
		ck_assert_msg(strstr(err.detail, IDENTITIES[_i].reason) != NULL, "%s", err.detail);
		return;
	}
	ck_assert_str_eq(applicant.account.name, "two");
}
END_TEST

START_TEST(the_lists_and_the_script_are_asked_about_the_account_of_the_identity)
{
	static const char *const names[] = {"two", NULL};
	const struct string_list list = {.items = (char **)names, .count = 1};
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID,
					 .min_uid = MIN_UID,
					 .identity_provider = (char *)"ldapmain",
					 .lists_pre_validation = true,
					 .runas.validation_script = (char *)"/script"};
	struct applicant applicant;
	struct error err = {.detail = ""};
	struct claims claims = {.user_login = "usr",
				.user_email = "usr@example.com",
				.identities = {{"ldapmain", "two", "two"}}};
	open_site();
	ck_assert_int_eq(apply_claims(&settings, &claims, &applicant, &err), 0);
	ck_assert_str_eq(site.asked, "two");
	settings.user_blocklist = list;
	ck_assert_int_eq(apply_claims(&settings, &claims, &applicant, &err), -1);
	ck_assert_str_eq(err.detail, "two is in auth.user_blocklist");
	ck_assert_int_eq(site.questions, 1);
}
END_TEST

START_TEST(bots_get_no_job_unless_they_may)
{
	struct auth_settings settings = {.downscope = DOWNSCOPE_NONE};
	struct applicant applicant;
	struct error err;
	open_site();
	ck_assert_int_eq(apply(&settings, LOGINS[_i].login, "push", &applicant, &err),
			 LOGINS[_i].bot ? -1 : 0);
	if (LOGINS[_i].bot)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	settings.allow_bot_accounts = true;
	ck_assert_int_eq(apply(&settings, LOGINS[_i].login, "push", &applicant, &err), 0);
}
END_TEST

static struct string_list list_of(const char *const *names)
{
	size_t count = 0;
	while (count < 3 && names[count] != NULL)
		count++;
	return (struct string_list){.items = (char **)names, .count = count};
}

/* A directory of groups that is down also looks as if it had no group. */
START_TEST(an_unknown_group_admits_nobody)
{
	static const char *const unknown[] = {"nobody-has-this-name", NULL};
	struct auth_settings settings = {.groups_blocklist = list_of(unknown)};
	struct applicant applicant;
	struct error err;
	open_site();
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	settings = (struct auth_settings){.groups_allowlist = list_of(unknown)};
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

/* jacamar explain checks further rules after one that failed. */
START_TEST(groups_that_are_not_known_are_not_kept_for_later_rules)
{
	const struct policy_sources sources = {site_account, site_half_of_groups, site_runas,
					       site_nologin};
	const struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID};
	struct applicant applicant = {.settings = &settings, .sources = &sources, .name = "usr"};
	struct error err;
	open_site();
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(policy_find_person(&applicant, &err), -1);
		ck_assert_str_eq(err.detail, "no answer");
	}
}
END_TEST

static const struct {
	const char *allowed[3]; /* the list, up to a NULL */
	const char *source;
	bool admitted;
} SOURCES[] = {
	{{NULL}, "push", true},		 {{NULL}, "", true},	   {{"push"}, "push", true},
	{{"web", "push"}, "push", true}, {{"push"}, "web", false}, {{"push"}, "pushed", false},
	{{"push"}, "Push", false},	 {{"push"}, "", false},
};

START_TEST(a_pipeline_comes_from_an_allowed_source)
{
	struct auth_settings settings = {.pipeline_source_allowlist = list_of(SOURCES[_i].allowed)};
	struct applicant applicant;
	struct error err;
	open_site();
	ck_assert_int_eq(apply(&settings, "usr", SOURCES[_i].source, &applicant, &err),
			 SOURCES[_i].admitted ? 0 : -1);
	if (!SOURCES[_i].admitted)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
}
END_TEST

/*
 * All combinations of being in each list, of each list being there, and of the group being the
 * account's primary or a supplementary one. A list that is there and does not have the account
 * has another name. Who is right is said here in other words than in the program.
 */
enum { USER_BLOCK, USER_ALLOW, GROUP_BLOCK, GROUP_ALLOW, LISTS };
enum { ABSENT, OTHER, LISTED, STATES };

static bool should_be_admitted(const int *state)
{
	bool restricted = state[USER_ALLOW] != ABSENT || state[GROUP_ALLOW] != ABSENT;
	return state[USER_BLOCK] != LISTED &&
	       (state[USER_ALLOW] == LISTED ||
		(state[GROUP_BLOCK] != LISTED && (state[GROUP_ALLOW] == LISTED || !restricted)));
}

START_TEST(the_four_lists_have_their_order)
{
	static const char *const users[] = {[OTHER] = "another", [LISTED] = "usr"};
	static const char *const blocked[] = {[OTHER] = "sys", [LISTED] = "daemon"};
	static const char *const allowed[] = {[OTHER] = "sys", [LISTED] = "bin"};
	const char *names[LISTS][3] = {{NULL}};
	struct applicant applicant;
	struct error err;
	gid_t groups[MOST_GROUPS] = {100, 1, 2};
	int state[LISTS];
	int number = _i / 3;
	/* daemon or bin as the primary group, and the others behind it; 100 first: neither. */
	gid_t primary = groups[_i % 3];
	groups[_i % 3] = groups[0];
	groups[0] = primary;

	for (int list = 0; list < LISTS; list++, number /= STATES) {
		const char *const *choice = list <= USER_ALLOW	  ? users
					    : list == GROUP_BLOCK ? blocked
								  : allowed;
		state[list] = number % STATES;
		names[list][0] = state[list] == ABSENT ? NULL : "tty";
		names[list][1] = state[list] == ABSENT ? NULL : choice[state[list]];
	}
	struct auth_settings settings = {
		.user_blocklist = list_of(names[USER_BLOCK]),
		.user_allowlist = list_of(names[USER_ALLOW]),
		.groups_blocklist = list_of(names[GROUP_BLOCK]),
		.groups_allowlist = list_of(names[GROUP_ALLOW]),
	};
	open_site();
	memcpy(site.groups[0], groups, sizeof(groups));
	int result = apply(&settings, "usr", "push", &applicant, &err);
	ck_assert_msg(result == (should_be_admitted(state) ? 0 : -1),
		      "blocked user %d, allowed %d, blocked group %d, allowed %d: %s",
		      state[USER_BLOCK], state[USER_ALLOW], state[GROUP_BLOCK], state[GROUP_ALLOW],
		      result == 0 ? "admitted" : err.detail);
	if (result != 0)
		ck_assert_int_eq(err.kind, ERROR_DENIED);
	/* Where a list needs the account, a login that has none is not let through. */
	bool needed = state[USER_BLOCK] != ABSENT || state[GROUP_BLOCK] != ABSENT ||
		      state[GROUP_ALLOW] != ABSENT;
	settings.downscope = DOWNSCOPE_NONE;
	site.lookups = 0;
	(void)apply(&settings, "Usr", "push", &applicant, &err);
	ck_assert_int_eq(site.lookups, needed);
	if (needed)
		ck_assert_str_eq(err.detail, "there is no Usr");
}
END_TEST

/*
 * The lists are applied to the person who triggered the job before the script, if the site wants
 * that; and always after it, to the account that the script has given. Here usr is given two's
 * account.
 */
enum { NOBODY_LISTED, LOGIN_LISTED, GIVEN_LISTED, LISTED_STATES };
static const char *const LIST_NAMES[] = {"user_blocklist", "user_allowlist", "groups_blocklist",
					 "groups_allowlist"};

static struct string_list *list_at(struct auth_settings *settings, int list)
{
	struct string_list *const lists[] = {&settings->user_blocklist, &settings->user_allowlist,
					     &settings->groups_blocklist,
					     &settings->groups_allowlist};
	return lists[list];
}

START_TEST(the_lists_judge_before_the_script_and_behind_it)
{
	static const char *const users[][2] = {{"another", NULL}, {"usr", NULL}, {"two", NULL}};
	/* A group that nobody is in, that of the login, that of the account given. */
	static const char *const groups[][2] = {{"sys", NULL}, {"daemon", NULL}, {"bin", NULL}};
	int number = _i;
	bool before = number % 2;
	number /= 2;
	bool primary = number % 2;
	number /= 2;
	int listed = number % LISTED_STATES;
	int list = number / LISTED_STATES;
	bool allows = list == USER_ALLOW || list == GROUP_ALLOW;
	struct auth_settings settings = {.lists_pre_validation = before,
					 .runas.validation_script = (char *)"/script"};
	struct applicant applicant;
	struct error err = {.detail = ""};

	open_site();
	site.answer = "two";
	for (gid_t i = 0; i < 2; i++) {
		site.groups[i][primary ? 0 : 1] = i + 1;
		site.groups[i][primary ? 1 : 0] = 100;
	}
	*list_at(&settings, list) = list_of(list <= USER_ALLOW ? users[listed] : groups[listed]);

	bool login_passes = allows ? listed == LOGIN_LISTED : listed != LOGIN_LISTED;
	bool given_passes = allows ? listed == GIVEN_LISTED : listed != GIVEN_LISTED;
	int result = apply(&settings, "usr", "push", &applicant, &err);
	ck_assert_msg(result == (((!before || login_passes) && given_passes) ? 0 : -1),
		      "%s has %d, %s, %s: %s", LIST_NAMES[list], listed,
		      before ? "before" : "behind", primary ? "primary" : "supplementary",
		      result == 0 ? "admitted" : err.detail);
	ck_assert_int_eq(site.questions, !before || login_passes);
	if (result == 0) {
		ck_assert_str_eq(applicant.account.name, "two");
		return;
	}
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	const char *refused = before && !login_passes ? "usr is " : "two is ";
	ck_assert_msg(strncmp(err.detail, refused, strlen(refused)) == 0, "%s", err.detail);
	ck_assert_msg(strstr(err.detail, LIST_NAMES[list]) != NULL, "%s", err.detail);
}
END_TEST

/* The rules stop being broken one after the other: the first that still is broken is reported. */
static const char *const IN_ORDER[] = {
	"/etc/nologin closes this host to logins (auth.enforce_nologin): maintenance",
	"the pipeline's source 'web' is not in auth.pipeline_source_allowlist",
	"project_1_bot is a bot of a project or group, and auth.allow_bot_accounts is not set",
	"project_1_bot is in auth.user_blocklist",
	"the script refuses",
	"two is in auth.user_blocklist",
	("account two is closed: its shell is /sbin/nologin" OPEN),
	"uid 998 of two is below auth.min_uid, 1000",
};

static const char *const RULES_IN_ORDER[] = {
	"nologin",	"pipeline source", "machine account", "lists before RunAs",
	"RunAs script", "lists",	   "shell",	      "uid",
};

START_TEST(the_first_rule_that_refuses_is_named)
{
	static const char *const push[] = {"push", NULL};
	static const char *const both[] = {"project_1_bot", "two", NULL};
	struct auth_settings settings = {
		.downscope = DOWNSCOPE_SETUID,
		.min_uid = MIN_UID,
		.pipeline_source_allowlist = list_of(push),
		.user_blocklist = list_of(both),
		.lists_pre_validation = true,
		.runas.validation_script = (char *)"/script",
		.enforce_nologin = true,
	};
	struct applicant applicant;
	struct error err = {.detail = ""};
	open_site();
	site.closed = _i > 0 ? NULL : "maintenance";
	site.accounts[0] = account_with("project_1_bot", 20001, "/bin/bash");
	site.accounts[1] = account_with("two", 998, "/sbin/nologin");
	site.answer = NULL;

	settings.allow_bot_accounts = _i > 2;
	settings.lists_pre_validation = _i < 4;
	if (_i > 4)
		site.answer = "two";
	if (_i > 5)
		settings.user_blocklist.count = 1;
	if (_i > 6)
		site.accounts[1] = account_with("two", 998, "/bin/bash");
	ck_assert_int_eq(
		apply(&settings, "project_1_bot", _i > 1 ? "push" : "web", &applicant, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.detail, IN_ORDER[_i]);
	ck_assert_str_eq(applicant.rule, RULES_IN_ORDER[_i]);
	/* If a person is refused before that, the site's script is not run. */
	ck_assert_int_eq(site.questions, _i >= 4);
	ck_assert_int_eq(applicant.asked, _i >= 4);
}
END_TEST

START_TEST(a_closed_host_is_closed_where_the_site_heeds_it)
{
	static const char *const says[] = {"back at 18:00", ""};
	static const char *const heard[] = {"back at 18:00",
					    "this host is closed to logins at present"};
	struct auth_settings settings = {.downscope = DOWNSCOPE_SETUID, .min_uid = MIN_UID};
	struct applicant applicant;
	struct error err;
	open_site();
	site.closed = says[_i];
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), 0);
	settings.enforce_nologin = true;
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);
	ck_assert_str_eq(err.notice, heard[_i]);
	ck_assert_int_eq(site.lookups, 1);
}
END_TEST

static const struct {
	const char *blocked[2], *allowed[2], *blocked_groups[2], *allowed_groups[2];
	const char *admitted;
} ADMITTED[] = {
	{{NULL}, {NULL}, {NULL}, {NULL}, "no list is set"},
	{{"two"}, {NULL}, {NULL}, {NULL}, "usr is in no blocklist, and no allowlist is set"},
	{{NULL}, {NULL}, {"sys"}, {NULL}, "usr is in no blocklist, and no allowlist is set"},
	{{"two"}, {"usr"}, {"daemon"}, {"daemon"}, "usr is in auth.user_allowlist"},
	{{NULL}, {"two"}, {"sys"}, {"bin"}, "usr is in the group bin of auth.groups_allowlist"},
};

START_TEST(who_is_admitted_is_so_by_a_rule)
{
	struct auth_settings settings = {
		.user_blocklist = list_of(ADMITTED[_i].blocked),
		.user_allowlist = list_of(ADMITTED[_i].allowed),
		.groups_blocklist = list_of(ADMITTED[_i].blocked_groups),
		.groups_allowlist = list_of(ADMITTED[_i].allowed_groups),
	};
	struct applicant applicant;
	struct error err = {.detail = ""};
	open_site();
	site.groups[0][1] = 1;
	site.groups[0][2] = 2;
	ck_assert_msg(apply(&settings, "usr", "push", &applicant, &err) == 0, "%s", err.detail);
	ck_assert_str_eq(applicant.admitted, ADMITTED[_i].admitted);
	ck_assert_ptr_null(applicant.rule);
	ck_assert_int_eq(applicant.admitted_by != NULL, _i >= 3);
	if (applicant.admitted_by != NULL)
		ck_assert_ptr_nonnull(strstr(applicant.admitted, applicant.admitted_by));
}
END_TEST

START_TEST(each_rule_has_a_name_and_a_key_that_exists)
{
	ck_assert_uint_gt(POLICY_RULE_COUNT, 0);
	for (size_t i = 0; i < POLICY_RULE_COUNT; i++) {
		const struct policy_rule *rule = &POLICY_RULES[i];
		ck_assert_str_ne(rule->name, "");
		ck_assert_msg(rule->key[0] == '\0' || schema_find_key(rule->key) != NULL, "%s",
			      rule->key);
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(POLICY_RULES[j].name, rule->name);
	}
}
END_TEST

START_TEST(without_downscoping_the_service_account_has_the_jobs)
{
	static const char *const blocked[] = {"gitlab-runner", NULL};
	struct auth_settings settings = {.downscope = DOWNSCOPE_NONE, .min_uid = MIN_UID};
	struct applicant applicant;
	struct error err;
	open_site();
	ck_assert_int_eq(apply(&settings, "somebody", "push", &applicant, &err), 0);
	ck_assert_str_eq(applicant.account.name, "gitlab-runner");
	ck_assert_int_eq(site.lookups, 0);
	ck_assert_int_eq(policy_check_uid(&(struct account){.uid = 0}, &(struct account){.uid = 0},
					  DOWNSCOPE_NONE, MIN_UID, &err),
			 -1);
	ck_assert_int_eq(err.kind, ERROR_DENIED);

	/* It is still the person who is judged, and no other account that a script may give. */
	settings.user_blocklist = list_of(blocked);
	settings.runas.validation_script = (char *)"/script";
	site.answer = "gitlab-runner";
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), 0);
	site.answer = "two";
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_str_eq(err.detail, "auth.runas chose the account two, but without a change of "
				     "account jobs run as gitlab-runner");
	static const char *const person[] = {"usr", NULL};
	settings.user_blocklist = list_of(person);
	ck_assert_int_eq(apply(&settings, "usr", "push", &applicant, &err), -1);
	ck_assert_str_eq(err.detail, "usr is in auth.user_blocklist");
}
END_TEST

Suite *policy_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *tcase = tcase_create("policy");

	tcase_add_loop_test(tcase, an_account_is_held_against_the_rules, 0, ROWS(ACCOUNTS));
	tcase_add_loop_test(tcase, a_closed_host_is_closed_where_the_site_heeds_it, 0, 2);
	tcase_add_loop_test(tcase, bots_get_no_job_unless_they_may, 0, ROWS(LOGINS));
	tcase_add_loop_test(tcase, a_mail_address_tells_a_machine_whatever_its_login, 0,
			    ROWS(MAILS));
	tcase_add_loop_test(tcase, code_of_a_fork_is_run_where_the_site_allows_it, 0,
			    ROWS(PROJECTS));
	tcase_add_loop_test(tcase, an_identity_gives_the_account_in_place_of_the_login, 0,
			    ROWS(IDENTITIES));
	tcase_add_test(tcase, the_lists_and_the_script_are_asked_about_the_account_of_the_identity);
	tcase_add_loop_test(tcase, a_pipeline_comes_from_an_allowed_source, 0, ROWS(SOURCES));
	tcase_add_test(tcase, an_unknown_group_admits_nobody);
	tcase_add_test(tcase, groups_that_are_not_known_are_not_kept_for_later_rules);
	tcase_add_loop_test(tcase, the_four_lists_have_their_order, 0,
			    STATES * STATES * STATES * STATES * 3);
	tcase_add_loop_test(tcase, the_lists_judge_before_the_script_and_behind_it, 0,
			    2 * 2 * LISTED_STATES * LISTS);
	tcase_add_loop_test(tcase, the_first_rule_that_refuses_is_named, 0, ROWS(IN_ORDER));
	tcase_add_test(tcase, each_rule_has_a_name_and_a_key_that_exists);
	tcase_add_loop_test(tcase, who_is_admitted_is_so_by_a_rule, 0, ROWS(ADMITTED));
	tcase_add_test(tcase, without_downscoping_the_service_account_has_the_jobs);
	suite_add_tcase(suite, tcase);
	return suite;
}
