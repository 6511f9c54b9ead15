/*
 * The environment of the user's processes: the variables of a login, the job's cookie (a variable
 * by which the job's processes are found), and what the site adds. The rest of the runner's
 * environment is left out.
 */
#ifndef JACAMAR_CORE_PROTOCOL_ENVIRONMENT_H
#define JACAMAR_CORE_PROTOCOL_ENVIRONMENT_H

#include <jansson.h>

#include "core/lib/account.h"
#include "core/lib/string_list.h"

/* The variable that carries a job's cookie. */
#define ENVIRONMENT_COOKIE "JACAMAR_CI_JOB"

/*
 * HOME, USER, LOGNAME, SHELL, PATH; LANG, LC_*, TZ from this process. A new JSON array of
 * "NAME=value", or NULL without memory.
 */
json_t *environment_of_login(const struct account *account);

/* Sets `setting`, NAME=value, in such an array; it replaces NAME's value. -1 without memory. */
int environment_set(json_t *list, const char *setting);

/*
 * environment_of_login, with the variables `names` from this process, those of `settings` (each
 * NAME=value; they replace all others of that name), and the cookie.
 */
json_t *environment_of_user(const struct account *account, const struct string_list *names,
			    const struct string_list *settings, const char *cookie);

/*
 * That array as execve(2) takes it, NULL at its end. The strings are borrowed from `environment`;
 * the caller frees the vector alone. NULL without memory.
 */
char **environment_vector(const json_t *environment);

/* Replaces this process's environment by a copy of that array. -1 without memory. */
int environment_adopt(const json_t *environment);

#endif
