#include "core/workspace/script.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/workspace/workspace_directories.h"

/* core/workspace/command_line.bash, without its comments. */
static const char PRELUDE[] =
#include "command_line.text.h"
	;

/* Not those of caches: command_line.bash says why. */
static const char *const WITH_TOKEN[] = {
	"get_sources",
	"download_artifacts",
	"upload_artifacts_on_success",
	"upload_artifacts_on_failure",
};

bool script_is_substage(const char *name)
{
	return text_is_made_of(name, TEXT_WORD, SCRIPT_SUBSTAGE_MOST);
}

bool script_is_of_author(const char *substage)
{
	return strcmp(substage, "build_script") == 0 || strcmp(substage, "after_script") == 0 ||
	       strncmp(substage, "step_", 5) == 0;
}

const char *script_prelude(const char *substage)
{
	for (size_t i = 0; i < sizeof(WITH_TOKEN) / sizeof(WITH_TOKEN[0]); i++)
		if (strcmp(WITH_TOKEN[i], substage) == 0)
			return PRELUDE;
	return "";
}

static int write_script(struct channel_reader *channel, const struct channel_header *header,
			const char *substage, int fd, const char *path, struct error *err)
{
	const char *prelude = header->state.settings.general.unrestricted_cmd_line
				      ? ""
				      : script_prelude(substage);
	if (io_write_all(fd, prelude, strlen(prelude)) != 0)
		return error_errno(err, ERROR_SYSTEM, "cannot write %s", path);
	return channel_copy_script(channel, header->script_size, fd, path, err);
}

int script_receive(struct channel_reader *channel, const struct channel_header *header,
		   const char *substage, struct script *script, struct error *err)
{
	bool in_image = header->state.image != NULL && script_is_of_author(substage);
	*script = (struct script){.directory = -1, .in_image = in_image};
	script->name = text_format("%s.bash", substage);
	script->path = text_format("%s/%s.bash", header->state.scripts_dir, substage);
	if (script->name == NULL || script->path == NULL)
		return error_set(err, ERROR_SYSTEM, "out of memory");
	script->directory = workspace_open_scripts(&header->state, err);
	if (script->directory < 0)
		return -1;

	/* If the sub-stage is repeated, the file of the first attempt may exist. */
	if (unlinkat(script->directory, script->name, 0) != 0 && errno != ENOENT)
		return error_errno(err, ERROR_SYSTEM, "cannot replace %s", script->path);
	int fd = openat(script->directory, script->name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, ERROR_SYSTEM, "cannot make %s", script->path);
	int result = write_script(channel, header, substage, fd, script->path, err);
	/* A network file system may report only here that it is full. */
	if (close(fd) != 0 && result == 0)
		result = error_errno(err, ERROR_SYSTEM, "cannot write %s", script->path);
	/* An incomplete script may have secrets in it. */
	if (result != 0)
		(void)unlinkat(script->directory, script->name, 0);
	return result;
}

int script_remove(const struct script *script, struct error *err)
{
	if (unlinkat(script->directory, script->name, 0) != 0 && errno != ENOENT)
		return error_errno(err, ERROR_SYSTEM, "cannot remove %s", script->path);
	return 0;
}

void script_free(struct script *script)
{
	free(script->path);
	free(script->name);
	if (script->directory >= 0)
		close(script->directory);
}
