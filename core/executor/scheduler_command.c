#include "core/executor/scheduler_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/protocol/environment.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* The value of the variable; NULL if it is not set. */
static const char *find_variable(const json_t *environment, const char *name, size_t length)
{
	size_t index;
	json_t *entry;
	json_array_foreach (environment, index, entry) {
		const char *variable = json_string_value(entry);
		if (strncmp(variable, name, length) == 0 && variable[length] == '=')
			return variable + length + 1;
	}
	return NULL;
}

/*
 * `text` in new memory, in which `take` replaces what it knows: it returns the value of what is at
 * *text, and moves *text after that; NULL if there is nothing.
 */
static char *replace(const char *text, const char *(*take)(const char **text, const void *known),
		     const void *known)
{
	char *copy = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&copy, &size);
	if (out == NULL)
		return NULL;
	while (*text != '\0') {
		const char *value = take(&text, known);
		if (value != NULL)
			fputs(value, out);
		else
			fputc(*text++, out);
	}
	if (fclose(out) == 0)
		return copy;
	free(copy);
	return NULL;
}

/* $NAME or ${NAME}; a variable that is not set is empty. */
static const char *take_variable(const char **text, const void *environment)
{
	bool braced = strncmp(*text, "${", 2) == 0;
	const char *name = *text + (braced ? 2 : 1);
	if (**text != '$' || strspn(name, TEXT_DIGIT) > 0)
		return NULL;
	size_t length = strspn(name, NAME_BYTES);
	if (length == 0 || (braced && name[length] != '}'))
		return NULL;
	const char *value = find_variable(environment, name, length);
	*text = name + length + (braced ? 1 : 0);
	return value != NULL ? value : "";
}

json_t *scheduler_command_environment(const json_t *of_user, const struct string_list *variables)
{
	json_t *environment = json_copy((json_t *)of_user);
	bool whole = environment != NULL;
	for (size_t i = 0; i < variables->count && whole; i++) {
		cleanup_free char *variable =
			replace(variables->items[i], take_variable, environment);
		whole = variable != NULL && environment_set(environment, variable) == 0;
	}
	if (whole)
		return environment;
	json_decref(environment);
	return NULL;
}

char *scheduler_command_find(const char *name, const char *directory, const json_t *environment,
			     struct error *err)
{
	const char *list = directory;
	if (name[0] == '/')
		return strdup(name);
	if (list == NULL)
		list = find_variable(environment, "PATH", 4);
	cleanup_free char *directories = strdup(list != NULL ? list : "");
	char *rest = directories;
	for (char *at; (at = strsep(&rest, directory == NULL ? ":" : "")) != NULL;) {
		char *path = at[0] == '/' ? text_format("%s/%s", at, name) : NULL;
		if (path != NULL && access(path, X_OK) == 0)
			return path;
		free(path);
	}
	error_set(err, ERROR_SYSTEM, "cannot find the scheduler's command %s in %s", name,
		  directory != NULL ? directory : "PATH; is batch.scheduler_bin set?");
	return NULL;
}

static const char *take_placeholder(const char **text, const void *known)
{
	for (const struct placeholder *found = known; found->name != NULL; found++)
		if (strncmp(*text, found->name, strlen(found->name)) == 0) {
			*text += strlen(found->name);
			return found->value;
		}
	return NULL;
}

bool scheduler_command_compose(struct string_list *command, const char *const *template,
			       const struct placeholder *known, const struct string_list *arguments)
{
	for (; *template != NULL; template ++) {
		if (strcmp(*template, "{arguments}") == 0) {
			for (size_t i = 0; i < arguments->count; i++)
				if (!string_list_add(command, arguments->items[i]))
					return false;
			continue;
		}
		cleanup_free char *word = replace(*template, take_placeholder, known);
		if (word == NULL || (word[0] != '\0' && !string_list_add(command, word)))
			return false;
	}
	return true;
}
