#include "core/protocol/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

static int add(json_t *list, const char *name, const char *value)
{
	return json_array_append_new(list, json_sprintf("%s=%s", name, value));
}

/* The index of the variable whose name is the first `length` bytes; the array's size if none is. */
static size_t find(const json_t *list, const char *name, size_t length)
{
	size_t index;
	json_t *entry;
	json_array_foreach (list, index, entry) {
		const char *variable = json_string_value(entry);
		if (strncmp(variable, name, length) == 0 && variable[length] == '=')
			break;
	}
	return index;
}

/* True for a variable of the locale or the time zone. */
static bool is_locale(const char *variable)
{
	static const char *const starts[] = {"LANG=", "LC_", "TZ="};
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
		if (strncmp(variable, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

json_t *environment_of_login(const struct account *account)
{
	json_auto_t *list = json_array();
	int failed = add(list, "HOME", account->home) | add(list, "USER", account->name) |
		     add(list, "LOGNAME", account->name) | add(list, "SHELL", account->shell) |
		     add(list, "PATH", DEFAULT_PATH);

	/* JSON cannot carry bytes that are not UTF-8; no locale has such a name. */
	for (char **variable = environ; *variable != NULL; variable++)
		if (is_locale(*variable))
			json_array_append_new(list, json_string(*variable));
	return failed == 0 ? json_incref(list) : NULL;
}

int environment_set(json_t *list, const char *setting)
{
	size_t index = find(list, setting, strcspn(setting, "="));
	return index < json_array_size(list) ? json_array_set_new(list, index, json_string(setting))
					     : json_array_append_new(list, json_string(setting));
}

json_t *environment_of_user(const struct account *account, const struct string_list *names,
			    const struct string_list *settings, const char *cookie)
{
	json_auto_t *list = environment_of_login(account);
	int failed = add(list, ENVIRONMENT_COOKIE, cookie);
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		const char *value = getenv(name);
		/* A variable of the service must not replace one of the login. */
		if (value != NULL && find(list, name, strlen(name)) == json_array_size(list))
			failed |= add(list, name, value);
	}
	for (size_t i = 0; i < settings->count; i++)
		failed |= environment_set(list, settings->items[i]);
	return failed == 0 ? json_incref(list) : NULL;
}

char **environment_vector(const json_t *environment)
{
	char **vector = calloc(json_array_size(environment) + 1, sizeof(*vector));
	size_t index;
	json_t *entry;
	if (vector == NULL)
		return NULL;
	json_array_foreach (environment, index, entry) {
		vector[index] = (char *)json_string_value(entry);
	}
	return vector;
}

int environment_adopt(const json_t *environment)
{
	size_t index;
	json_t *entry;
	if (clearenv() != 0)
		return -1;
	json_array_foreach (environment, index, entry) {
		/* Not freed: it is the environment now. */
		char *variable = strdup(json_string_value(entry));
		if (variable == NULL || putenv(variable) != 0)
			return -1;
	}
	return 0;
}
