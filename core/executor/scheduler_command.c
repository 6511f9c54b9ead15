#include "core/executor/scheduler_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* The value of the variable; NULL if it is not set. */
static const char *find_variable(const struct argv *environment, const char *name, size_t length)
{
	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->items[i], name, length) == 0 &&
		    environment->items[i][length] == '=')
			return environment->items[i] + length + 1;
	return NULL;
}

/* Adds "NAME=value", or replaces the variable of that name. */
static bool set_variable(struct argv *environment, const char *variable)
{
	size_t length = strcspn(variable, "=") + 1;
	for (size_t i = 0; i < environment->count; i++) {
		if (strncmp(environment->items[i], variable, length) != 0)
			continue;
		char *copy = strdup(variable);
		if (copy == NULL)
			return false;
		free(environment->items[i]);
		environment->items[i] = copy;
		return true;
	}
	return argv_add(environment, variable);
}

/* Reads NAME or {NAME} and moves *text after it. The length of the name; 0 if there is none. */
static size_t take_name(const char **text, const char **name)
{
	bool braced = **text == '{';
	*name = *text + (braced ? 1 : 0);
	size_t length = strspn(*name, NAME_BYTES);
	if (strspn(*name, TEXT_DIGIT) > 0 || (braced && (*name)[length] != '}'))
		length = 0;
	if (length > 0)
		*text = *name + length + (braced ? 1 : 0);
	return length;
}

/* `setting` with $NAME and ${NAME} replaced, in new memory. */
static char *expand(const struct argv *environment, const char *setting)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	while (*setting != '\0') {
		const char *name = NULL;
		char byte = *setting++;
		size_t length = byte == '$' ? take_name(&setting, &name) : 0;
		const char *value = length > 0 ? find_variable(environment, name, length) : NULL;
		if (length == 0)
			fputc(byte, out);
		else if (value != NULL)
			fputs(value, out);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

int scheduler_command_site_make(struct scheduler_command_site *site,
				const struct channel_header *header, struct error *err)
{
	const struct batch_settings *settings = &header->state.settings.batch;
	size_t index;
	json_t *entry;
	bool whole = true;
	*site = (struct scheduler_command_site){.directory = settings->scheduler_bin};
	json_array_foreach (header->environment, index, entry) {
		whole = whole && argv_add(&site->environment, json_string_value(entry));
	}
	for (size_t i = 0; i < settings->env_vars.count; i++) {
		cleanup_free char *variable =
			expand(&site->environment, settings->env_vars.items[i]);
		whole = whole && variable != NULL && set_variable(&site->environment, variable);
	}
	return whole ? 0 : error_set(err, ERROR_SYSTEM, "out of memory");
}

void scheduler_command_site_free(struct scheduler_command_site *site)
{
	argv_free(&site->environment);
}

char *scheduler_command_find(const struct scheduler_command_site *site, const char *name,
			     struct error *err)
{
	const char *list = site->directory;
	if (name[0] == '/')
		return strdup(name);
	if (list == NULL)
		list = find_variable(&site->environment, "PATH", 4);
	cleanup_free char *directories = strdup(list != NULL ? list : "");
	char *rest = directories;
	for (char *directory;
	     (directory = strsep(&rest, site->directory == NULL ? ":" : "")) != NULL;) {
		char *path = directory[0] == '/' ? text_format("%s/%s", directory, name) : NULL;
		if (path != NULL && access(path, X_OK) == 0)
			return path;
		free(path);
	}
	error_set(err, ERROR_SYSTEM, "cannot find the scheduler's command %s in %s", name,
		  site->directory != NULL ? site->directory : "PATH; is batch.scheduler_bin set?");
	return NULL;
}

/* One word of a template with its placeholders replaced, in new memory. */
static char *fill(const char *word, const struct placeholder *known)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (out == NULL)
		return NULL;
	while (*word != '\0') {
		const struct placeholder *found = known;
		while (found->name != NULL && strncmp(word, found->name, strlen(found->name)) != 0)
			found++;
		if (found->name != NULL) {
			fputs(found->value, out);
			word += strlen(found->name);
		} else {
			fputc(*word++, out);
		}
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

bool scheduler_command_compose(struct argv *command, const char *const *template,
			       const struct placeholder *known, const struct argv *arguments)
{
	for (; *template != NULL; template ++) {
		if (strcmp(*template, "{arguments}") == 0) {
			for (size_t i = 0; i < arguments->count; i++)
				if (!argv_add(command, arguments->items[i]))
					return false;
			continue;
		}
		cleanup_free char *word = fill(*template, known);
		if (word == NULL || (word[0] != '\0' && !argv_add(command, word)))
			return false;
	}
	return true;
}
