/* libFuzzer: any bytes as the job response. Names that are accepted are safe in paths. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/identity/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_path_or_empty(const char *path)
{
	return path[0] == '\0' || job_is_project_path(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *const NAMES[] = {(char *)"SITE_ID_TOKEN", (char *)"CI_JOB_JWT_V2"};
	static const struct string_list TOKENS = {.items = (char **)NAMES, .count = 2};
	static char token[JOB_TOKEN_SIZE];
	struct job job;
	struct server again;
	struct error err;

	if (job_parse((const char *)data, size, &TOKENS, &job, token, &err) != 0)
		return 0;
	if (job.id == 0 || !is_path_or_empty(job.project_path) ||
	    !is_path_or_empty(job.repository_path) || strlen(token) >= JOB_TOKEN_SIZE)
		abort();
	if (job.origin.url[0] != '\0' && (url_server(job.origin.url, &again, &err) != 0 ||
					  strcmp(again.url, job.origin.url) != 0))
		abort();
	return 0;
}
