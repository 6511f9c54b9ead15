/* libFuzzer: any bytes as a job response. A project's path never climbs out of a directory. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *names[] = {"SITE_ID_TOKEN", "CI_JOB_JWT"};
	const struct string_list list = {.items = names, .count = 2};
	struct error err;
	struct job job;
	char *token = malloc(JOB_TOKEN_SIZE);

	if (token != NULL && job_parse((const char *)data, size, &list, &job, token, &err) == 0 &&
	    (job.id == 0 || strstr(job.project_path, "/../") != NULL ||
	     job.project_path[0] == '/' || strstr(job.repository_path, "/../") != NULL ||
	     job.repository_path[0] == '/'))
		abort();
	free(token);
	return 0;
}
