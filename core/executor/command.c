#include "core/executor/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/io.h"
#include "core/launch.h"
#include "core/text.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

/* How often a pipe is read before something else is looked at, and how much at once. */
#define TAKE_ROUNDS 64
#define PART_SIZE   2048

/* The value of `name`, the length of which is given; NULL where it is not set. */
static const char *find_variable(const struct words *environment, const char *name, size_t length)
{
	for (size_t i = 0; i < environment->count; i++)
		if (strncmp(environment->items[i], name, length) == 0 &&
		    environment->items[i][length] == '=')
			return environment->items[i] + length + 1;
	return NULL;
}

/* Adds "NAME=value" in the place of the one that there is. */
static bool set_variable(struct words *environment, const char *variable)
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
	return words_add(environment, variable);
}

/* Reads NAME or {NAME} and moves *text behind it; the length of the name, 0 where there is none. */
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

/* `setting` with the variables of the environment filled in, in new memory. */
static char *expand(const struct words *environment, const char *setting)
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

int command_site_make(struct command_site *site, const struct channel_header *header,
		      rlim_t core_limit, struct error *err)
{
	const struct state *state = &header->state;
	size_t index;
	json_t *entry;
	bool whole = true;
	*site = (struct command_site){.directory = state->scheduler_bin, .core_limit = core_limit};
	json_array_foreach (header->environment, index, entry) {
		whole = whole && words_add(&site->environment, json_string_value(entry));
	}
	json_array_foreach (state->scheduler_environment, index, entry) {
		cleanup_free char *variable = expand(&site->environment, json_string_value(entry));
		whole = whole && variable != NULL && set_variable(&site->environment, variable);
	}
	return whole ? 0 : error_set(err, ERROR_SYSTEM, "out of memory");
}

void command_site_free(struct command_site *site)
{
	words_free(&site->environment);
}

char *command_find(const struct command_site *site, const char *name, struct error *err)
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

static int open_pipe(int ends[2], struct error *err)
{
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make a pipe");
	/* Of ours alone: the child's end of a pipe has flags of its own. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_pipe(const int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static int execute(struct command *command, const struct launch *launch, struct error *err)
{
	struct launch complete = *launch;
	int output[2];
	int errors[2];
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return error_errno(err, ERROR_SYSTEM, "/dev/null");
	if (open_pipe(output, err) != 0)
		return -1;
	if (open_pipe(errors, err) != 0) {
		close_pipe(output);
		return -1;
	}
	complete.input = null;
	complete.output = output[1];
	complete.errors = errors[1];
	pid_t child = launch_program(&complete, err);
	if (child < 0) {
		close_pipe(output);
		close_pipe(errors);
		return -1;
	}
	close(output[1]);
	close(errors[1]);
	command->child = child;
	command->output = output[0];
	command->errors = errors[0];
	return 0;
}

int command_start(struct command *command, const struct command_site *site,
		  const struct words *arguments, int64_t limit_ms, struct error *err)
{
	memset(command, 0, sizeof(*command));
	cleanup_free char *program = command_find(site, arguments->items[0], err);
	if (program == NULL)
		return -1;
	struct launch launch = {
		.program = program,
		.arguments = arguments->items,
		.environment = site->environment.items,
		.other = -1,
		.core_limit = site->core_limit,
	};
	command->deadline = io_now_ms() + limit_ms;
	command->in_time = true;
	return execute(command, &launch, err);
}

/* What a command prints, and how much of it there is room for. */
struct taking {
	char *text;
	size_t room; /* but for the 0 behind it */
	size_t *size;
	bool keeps_end; /* of what does not fit; else the beginning */
};

/* Adds a part, which is not longer than the room; true where not all of it is there. */
static bool keep(const struct taking *taking, const char *part, size_t got)
{
	size_t left = taking->room - *taking->size;
	bool dropped = got > left;
	if (dropped && taking->keeps_end) {
		*taking->size -= got - left;
		memmove(taking->text, taking->text + got - left, *taking->size);
	} else if (dropped) {
		got = left;
	}
	memcpy(taking->text + *taking->size, part, got);
	*taking->size += got;
	taking->text[*taking->size] = '\0';
	return dropped;
}

/* Takes what is there to be read; true where something was dropped. Closes *fd at the end. */
static bool take(int *fd, const struct taking *taking)
{
	char part[PART_SIZE];
	bool dropped = false;
	/* Bounded: one that prints without end is to be seen running out of time. */
	for (int round = 0; *fd >= 0 && round < TAKE_ROUNDS; round++) {
		ssize_t got = read(*fd, part, sizeof(part));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got > 0) {
			dropped = keep(taking, part, (size_t)got) || dropped;
			continue;
		}
		close(*fd);
		*fd = -1;
	}
	return dropped;
}

static void take_all(struct command *command)
{
	struct command_result *result = &command->result;
	const struct taking output = {.text = result->output,
				      .room = sizeof(result->output) - 1,
				      .size = &command->output_size};
	const struct taking errors = {.text = result->errors,
				      .room = sizeof(result->errors) - 1,
				      .size = &command->errors_size,
				      .keeps_end = true};
	result->cut = take(&command->output, &output) || result->cut;
	result->errors_cut = take(&command->errors, &errors) || result->errors_cut;
}

static void close_all(struct command *command)
{
	if (command->output >= 0)
		close(command->output);
	if (command->errors >= 0)
		close(command->errors);
	command->output = command->errors = -1;
	command->child = 0;
}

/* It leads a group: a site's script around the scheduler's command does not leave that behind. */
static void end(const struct command *command)
{
	kill(-command->child, SIGKILL);
}

bool command_step(struct command *command)
{
	struct command_result *result = &command->result;
	if (command->in_time && io_now_ms() >= command->deadline) {
		command->in_time = false;
		end(command);
	}
	/* What it left running may hold its pipes, and is not waited for. */
	bool ended = waitpid(command->child, &result->status, WNOHANG) == command->child;
	take_all(command);
	if (ended)
		close_all(command);
	return ended;
}

void command_poll(const struct command *command, struct pollfd sources[2])
{
	bool runs = command->child > 0;
	sources[0] = (struct pollfd){.fd = runs ? command->output : -1, .events = POLLIN};
	sources[1] = (struct pollfd){.fd = runs ? command->errors : -1, .events = POLLIN};
}

void command_abort(struct command *command)
{
	int status;
	if (command->child <= 0)
		return;
	end(command);
	/* Not waited for: it may hang in the kernel. */
	(void)waitpid(command->child, &status, WNOHANG);
	close_all(command);
}

/* One word of a template with its placeholders filled in, in new memory. */
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

bool command_compose(struct words *command, const char *const *template,
		     const struct placeholder *known, const struct words *arguments)
{
	for (; *template != NULL; template ++) {
		if (strcmp(*template, "{arguments}") == 0) {
			for (size_t i = 0; i < arguments->count; i++)
				if (!words_add(command, arguments->items[i]))
					return false;
			continue;
		}
		cleanup_free char *word = fill(*template, known);
		if (word == NULL || !words_add(command, word))
			return false;
	}
	return true;
}
