#include "core/workspace/command_line.h"

#include <stddef.h>
#include <string.h>

/* core/workspace/command_line.bash, without its comments. */
static const char PRELUDE[] =
#include "command_line.text.h"
	;

/* Not those of caches: command_line.bash says why. */
static const char *const SUBSTAGES[] = {
	"get_sources",
	"download_artifacts",
	"upload_artifacts_on_success",
	"upload_artifacts_on_failure",
};

const char *command_line_prelude(const char *substage)
{
	for (size_t i = 0; i < sizeof(SUBSTAGES) / sizeof(SUBSTAGES[0]); i++)
		if (strcmp(SUBSTAGES[i], substage) == 0)
			return PRELUDE;
	return "";
}
