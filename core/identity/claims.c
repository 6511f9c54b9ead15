#include "core/identity/claims.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/identity/external_name.h"
#include "core/lib/json.h"
#include "core/lib/text.h"

enum kind {
	ID,
	TEXT,
	FLAG, /* a TEXT that may also be a JSON boolean */
};

static const struct row {
	const char *claim;
	const char *variable;
	enum kind kind;
	size_t offset;
	size_t size; /* of a text */
} ROWS[] = {
#define NUMBER(member) ID, offsetof(struct claims, member), 0
#define STRING(member) \
	TEXT, offsetof(struct claims, member), sizeof(((struct claims *)NULL)->member)
#define TRUTH(member) FLAG, offsetof(struct claims, member), sizeof(((struct claims *)NULL)->member)
	{"user_login", "JWT_USER_LOGIN", STRING(user_login)},
	{"user_email", "JWT_USER_EMAIL", STRING(user_email)},
	{"user_id", "JWT_USER_ID", NUMBER(user_id)},
	{"user_access_level", "JWT_USER_ACCESS_LEVEL", STRING(user_access_level)},
	{"namespace_id", "JWT_NAMESPACE_ID", NUMBER(namespace_id)},
	{"namespace_path", "JWT_NAMESPACE_PATH", STRING(namespace_path)},
	{"project_id", "JWT_PROJECT_ID", NUMBER(project_id)},
	{"project_path", "JWT_PROJECT_PATH", STRING(project_path)},
	{"job_project_id", "JWT_JOB_PROJECT_ID", NUMBER(job_project_id)},
	{"job_project_path", "JWT_JOB_PROJECT_PATH", STRING(job_project_path)},
	{"job_id", "JWT_JOB_ID", NUMBER(job_id)},
	{"pipeline_id", "JWT_PIPELINE_ID", NUMBER(pipeline_id)},
	{"pipeline_source", "JWT_PIPELINE_SOURCE", STRING(pipeline_source)},
	{"ref", "JWT_REF", STRING(ref)},
	{"ref_protected", "JWT_REF_PROTECTED", TRUTH(ref_protected)},
	{"sha", "JWT_SHA", STRING(sha)},
	{"runner_id", "JWT_RUNNER_ID", NUMBER(runner_id)},
	{"iss", "JWT_ISS", STRING(issuer)},
#undef NUMBER
#undef STRING
#undef TRUTH
};

#define ROW_COUNT (sizeof(ROWS) / sizeof(ROWS[0]))

static bool copy_claim(const json_t *said, const struct row *row, void *out)
{
	const json_t *value = json_object_get(said, row->claim);
	if (row->kind == ID)
		return json_optional_id(said, row->claim, out);
	if (row->kind == FLAG && json_is_boolean(value))
		return text_copy(out, row->size, json_is_true(value) ? "true" : "false");
	return value == NULL || json_is_null(value) ||
	       json_copy_string(said, row->claim, out, row->size);
}

static int read_identities(const json_t *said, struct claims *claims, struct error *err)
{
	const json_t *list = json_object_get(said, "user_identities");
	size_t count = 0;
	size_t index;
	json_t *entry;

	if (list != NULL && !json_is_null(list) && !json_is_array(list))
		return error_set(err, ERROR_DENIED,
				 "the id token's user_identities are not a list");
	json_array_foreach (list, index, entry) {
		struct claims_identity *identity = &claims->identities[count];
		if (count == CLAIMS_MOST_IDENTITIES)
			return error_set(err, ERROR_DENIED,
					 "the id token has more than %d user_identities",
					 CLAIMS_MOST_IDENTITIES);
		/* An identity without a provider is of no use. */
		if (!json_copy_string(entry, "provider", identity->provider,
				      sizeof(identity->provider)) ||
		    identity->provider[0] == '\0')
			continue;
		if (json_copy_string(entry, "extern_uid", identity->extern_uid,
				     sizeof(identity->extern_uid)))
			(void)external_name_to_account(identity->extern_uid, identity->account);
		count++;
	}
	return 0;
}

/* With only one of the two, id and path could be those of different projects. */
static bool has_whole_job_project(const struct claims *claims)
{
	return (claims->job_project_id != 0) == (claims->job_project_path[0] != '\0');
}

uint64_t claims_job_project_id(const struct claims *claims)
{
	return claims->job_project_id != 0 ? claims->job_project_id : claims->project_id;
}

const char *claims_job_project_path(const struct claims *claims)
{
	return claims->job_project_path[0] != '\0' ? claims->job_project_path
						   : claims->project_path;
}

bool claims_are_of_fork(const struct claims *claims)
{
	bool other_id =
		claims->project_id != 0 && claims->project_id != claims_job_project_id(claims);
	bool other_path = claims->project_path[0] != '\0' &&
			  strcasecmp(claims->project_path, claims_job_project_path(claims)) != 0;
	return other_id || other_path;
}

bool claims_ref_is_protected(const struct claims *claims)
{
	/* The owner of a fork can protect refs there. */
	return strcmp(claims->ref_protected, "true") == 0 && !claims_are_of_fork(claims);
}

int claims_read(const json_t *said, struct claims *claims, struct error *err)
{
	memset(claims, 0, sizeof(*claims));
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &ROWS[i];
		if (!copy_claim(said, row, (char *)claims + row->offset))
			return error_set(err, ERROR_DENIED,
					 "the id token's %s is missing or malformed", row->claim);
	}
	bool has_login = account_login_is_valid(claims->user_login);
	if (!has_login || claims->job_id == 0)
		return error_set(err, ERROR_DENIED, "the id token's %s is missing or malformed",
				 has_login ? "job_id" : "user_login");
	if (!has_whole_job_project(claims))
		return error_set(err, ERROR_DENIED,
				 "the id token has one of job_project_id and job_project_path "
				 "without the other");
	return read_identities(said, claims, err);
}

/* Terminates the text at the end of its array; false if it is not one line. */
static bool is_line(char *text, size_t size)
{
	text[size - 1] = '\0';
	for (const char *at = text; *at != '\0'; at++)
		if (iscntrl((unsigned char)*at))
			return false;
	return true;
}

static bool is_path_or_empty(const char *path)
{
	return path[0] == '\0' || job_is_project_path(path);
}

int claims_accept(struct claims *claims, struct error *err)
{
	bool sound = true;
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (ROWS[i].kind != ID)
			sound &= is_line((char *)claims + ROWS[i].offset, ROWS[i].size);
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES; i++) {
		struct claims_identity *identity = &claims->identities[i];
		sound &= is_line(identity->provider, sizeof(identity->provider));
		sound &= is_line(identity->extern_uid, sizeof(identity->extern_uid));
		sound &= is_line(identity->account, sizeof(identity->account));
		sound &= identity->account[0] == '\0' || account_name_is_valid(identity->account);
	}
	if (!sound || !account_login_is_valid(claims->user_login) ||
	    !is_path_or_empty(claims->project_path) ||
	    !is_path_or_empty(claims->job_project_path) || !has_whole_job_project(claims))
		return error_set(err, ERROR_DENIED, "the id token's claims are malformed");
	return 0;
}

static int add(json_t *list, const char *variable, const char *value, struct error *err)
{
	if (json_array_append_new(list, json_sprintf("%s=%s", variable, value)) != 0)
		return error_set(err, ERROR_DENIED, "a claim of the id token is not UTF-8");
	return 0;
}

#define IDENTITY_PREFIX "JWT_IDENTITY_"

struct variable_name {
	char text[sizeof(IDENTITY_PREFIX) + sizeof(((struct claims_identity *)NULL)->provider)];
};

static struct variable_name name_of_identity(const struct claims_identity *identity)
{
	struct variable_name name;
	snprintf(name.text, sizeof(name.text), IDENTITY_PREFIX "%s", identity->provider);
	for (char *at = name.text; *at != '\0'; at++)
		*at = (char)(isascii(*at) && isalnum(*at) ? toupper(*at) : '_');
	return name;
}

/* True if another identity has the same variable. */
static bool is_ambiguous(const struct claims *claims, size_t which,
			 const struct variable_name *name)
{
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES; i++) {
		struct variable_name other = name_of_identity(&claims->identities[i]);
		if (i != which && strcmp(name->text, other.text) == 0)
			return true;
	}
	return false;
}

/* Identities with the same variable are left out. */
static int add_identities(const struct claims *claims, json_t *list, struct error *err)
{
	for (size_t i = 0; i < CLAIMS_MOST_IDENTITIES; i++) {
		const struct claims_identity *identity = &claims->identities[i];
		struct variable_name name = name_of_identity(identity);
		if (identity->provider[0] == '\0')
			return 0;
		if (identity->extern_uid[0] != '\0' && !is_ambiguous(claims, i, &name) &&
		    add(list, name.text, identity->extern_uid, err) != 0)
			return -1;
	}
	return 0;
}

int claims_to_environment(const struct claims *claims, json_t *list, struct error *err)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const void *at = (const char *)claims + ROWS[i].offset;
		char digits[24] = "";
		if (ROWS[i].kind == ID && *(const uint64_t *)at != 0)
			snprintf(digits, sizeof(digits), "%" PRIu64, *(const uint64_t *)at);
		if (add(list, ROWS[i].variable, ROWS[i].kind == ID ? digits : at, err) != 0)
			return -1;
	}
	return add_identities(claims, list, err);
}
