#include "core/workspace/workspace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

static bool means_home(const char *data_dir)
{
	return strcmp(data_dir, "$HOME") == 0 || strcmp(data_dir, "~") == 0;
}

bool workspace_needs_shell(const char *data_dir)
{
	return data_dir[0] == '$' && !means_home(data_dir);
}

/*
 * Checks a path that the user or the job's author has chosen. GitLab Runner turns a backslash in
 * the builds directory into a slash: the job would build in another directory than the one that it
 * has locked.
 */
static bool is_usable_path(const char *path)
{
	return path[0] == '/' && text_is_printable(path) && strchr(path, '\\') == NULL &&
	       !text_has_parent_component(path) && strlen(path) < ACCOUNT_PATH_SIZE;
}

/* True for / itself, also as // or /. */
static bool is_root(const char *path)
{
	return path[strspn(path, "/.")] == '\0';
}

/* What follows $HOME or ~ at the beginning of the path; NULL if it begins with neither. */
static const char *after_home(const char *path)
{
	static const char *const homes[] = {"$HOME", "~"};
	for (size_t i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
		const char *after = path + strlen(homes[i]);
		if (strncmp(path, homes[i], strlen(homes[i])) == 0 &&
		    (*after == '/' || *after == '\0'))
			return after;
	}
	return NULL;
}

size_t workspace_variable_length(const char *data_dir)
{
	return strspn(data_dir + 1, TEXT_WORD);
}

char *workspace_resolve(const char *data_dir, const char *key, const struct account *account,
			const char *value, struct error *err)
{
	size_t length = workspace_variable_length(data_dir);
	char *resolved = text_format("%s%s", value, data_dir + 1 + length);
	if (resolved == NULL) {
		error_set(err, ERROR_SYSTEM, "out of memory");
		return NULL;
	}
	/* An empty value must not turn $NAME/tmp into /tmp. */
	if (is_usable_path(value) && !is_root(value) && is_usable_path(resolved))
		return resolved;
	bool empty = value[0] == '\0';
	/* Without the key in *err: the user fixes this, not the configuration. */
	error_set(
		err, ERROR_SYSTEM,
		"%s is %s, but %.*s is %s%.200s%s in the login shell of %s: set it in a profile of "
		"that shell, such as ~/.bash_profile, to an absolute path of printable ASCII "
		"characters, other than /, "
		"without '..' and '\\', of less than %d bytes",
		key, data_dir, (int)length, data_dir + 1, empty ? "unset or empty" : "'", value,
		empty ? "" : "'", account->name, ACCOUNT_PATH_SIZE);
	free(resolved);
	return NULL;
}

/* What the author of the job has chosen. */
static int check_custom_builds(const char *custom, struct error *err)
{
	const char *in_home = after_home(custom);
	const char *rest = in_home != NULL ? in_home : custom;
	const char *dollar = strchr(rest, '$');
	/* A variable in single quotes or with $$ reaches this program; others GitLab replaces. */
	if (dollar != NULL)
		return error_set(err, ERROR_SYSTEM,
				 "CUSTOM_CI_BUILDS_DIR is '%.200s'; it may have a $ only in $HOME "
				 "at its beginning, not '%.32s'",
				 custom, dollar);
	if ((in_home == NULL || rest[0] != '\0') &&
	    (!is_usable_path(rest) || (in_home == NULL && is_root(rest))))
		return error_set(
			err, ERROR_SYSTEM,
			"CUSTOM_CI_BUILDS_DIR is '%.200s'; it must be an absolute path other than "
			"/, or one that begins with ~/ or $HOME/, of less than %d printable ASCII "
			"characters, without '..' and '\\'",
			custom, ACCOUNT_PATH_SIZE);
	return 0;
}

int workspace_check_names(const struct workspace_names *names, struct error *err)
{
	if (names->short_token == NULL || !text_is_component(names->short_token, 64))
		return error_set(
			err, ERROR_SYSTEM,
			"CI_RUNNER_SHORT_TOKEN is missing or cannot be a directory's name");
	if (names->concurrent == NULL || !text_is_made_of(names->concurrent, TEXT_DIGIT, 6))
		return error_set(
			err, ERROR_SYSTEM,
			"CI_CONCURRENT_PROJECT_ID is missing or not a number of up to 6 digits");
	if (names->static_builds && names->project_id == 0)
		return error_set_key(
			err, "general.static_builds_dir", ERROR_SYSTEM,
			"neither the id token nor the job response has the project's id, which "
			"general.static_builds_dir needs");
	return names->custom_builds != NULL ? check_custom_builds(names->custom_builds, err) : 0;
}

static int check_home(const struct account *account, struct error *err)
{
	struct stat found;
	const char *home = account->home;
	if (home[0] != '/')
		return error_set(err, ERROR_SYSTEM,
				 "account %s has no home directory: ask the administrators of this "
				 "site",
				 account->name);
	const char *fault = NULL;
	if (!text_is_printable(home))
		fault = "has a character that is not a printable ASCII character, which is not "
			"supported: ask the administrators of this site";
	/* The user's side finds other errors: perhaps only the user can reach the directory. */
	else if (stat(home, &found) != 0 ? errno == ENOENT || errno == ENOTDIR
					 : !S_ISDIR(found.st_mode))
		fault = "does not exist: ask the administrators of this site to create it";
	else if (strchr(home, '\\') != NULL)
		fault = "has a backslash, which GitLab Runner takes for a slash: ask the "
			"administrators of this site";
	return fault == NULL ? 0
			     : error_set(err, ERROR_SYSTEM, "the home directory %s of %s %s", home,
					 account->name, fault);
}

/* The author's choice, whose names have been checked, as an absolute path in new memory. */
static char *resolve_custom_builds(const char *custom, const struct account *account,
				   struct error *err)
{
	const char *rest = after_home(custom);
	if (rest != NULL && check_home(account, err) != 0)
		return NULL;
	char *path = rest != NULL ? text_format("%s%s", account->home, rest) : strdup(custom);
	if (path == NULL) {
		error_set(err, ERROR_SYSTEM, "out of memory");
		return NULL;
	}
	for (size_t length = strlen(path); length > 1 && path[length - 1] == '/'; length--)
		path[length - 1] = '\0';
	if (is_usable_path(path) && !is_root(path))
		return path;
	error_set(err, ERROR_SYSTEM,
		  "CUSTOM_CI_BUILDS_DIR is '%.200s', which is / or longer than %d bytes with the "
		  "home directory %s",
		  custom, ACCOUNT_PATH_SIZE - 1, account->home);
	free(path);
	return NULL;
}

static char *plan_builds(const struct workspace *workspace, const struct workspace_names *names,
			 uint64_t concurrent)
{
	const char *token = names->short_token;
	if (workspace->custom_builds != NULL)
		return text_format("%s/%s/%03" PRIu64, workspace->custom_builds, token, concurrent);
	if (names->static_builds)
		return text_format("%s/builds/%s/" WORKSPACE_PROJECT "%" PRIu64, workspace->base,
				   token, names->project_id);
	return text_format("%s/builds/%s/%03" PRIu64, workspace->base, token, concurrent);
}

int workspace_plan(const char *data_dir, const struct account *account,
		   const struct workspace_names *names, struct workspace *workspace,
		   struct error *err)
{
	bool home = means_home(data_dir);
	memset(workspace, 0, sizeof(*workspace));
	if (home && check_home(account, err) != 0)
		return -1;
	uint64_t concurrent = 0;
	(void)text_to_u64(names->concurrent, &concurrent); /* 1 to 6 digits, as checked */
	const char *base = home ? account->home : data_dir;
	char own[ACCOUNT_NAME_SIZE];
	account_directory_name(account->name, own);
	workspace->base = text_format("%s/%s", strcmp(base, "/") == 0 ? "" : base,
				      home ? WORKSPACE_HOME_DIRECTORY : own);
	if (workspace->base == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	if (names->custom_builds != NULL) {
		workspace->custom_builds =
			resolve_custom_builds(names->custom_builds, account, err);
		if (workspace->custom_builds == NULL)
			return -1;
	}
	workspace->builds_dir = plan_builds(workspace, names, concurrent);
	workspace->cache_dir = text_format("%s/cache", workspace->base);
	workspace->scripts_dir =
		text_format("%s/scripts/%s/%03" PRIu64 "/%s/%" PRIu64, workspace->base,
			    names->short_token, concurrent, names->project_path, names->job_id);
	if (workspace->builds_dir == NULL || workspace->cache_dir == NULL ||
	    workspace->scripts_dir == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	return 0;
}

char *workspace_numbered_builds(const char *builds_dir, uint64_t number)
{
	int above = (int)(strrchr(builds_dir, '/') - builds_dir);
	return text_format("%.*s/%03" PRIu64, above, builds_dir, number);
}

void workspace_free(struct workspace *workspace)
{
	free(workspace->base);
	free(workspace->custom_builds);
	free(workspace->builds_dir);
	free(workspace->cache_dir);
	free(workspace->scripts_dir);
	memset(workspace, 0, sizeof(*workspace));
}
