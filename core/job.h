/*
 * The job, as GitLab's response to the runner describes it (the file of JOB_RESPONSE_FILE; the
 * fields are those of the runner's common/network.go, `JobResponse`).
 *
 * The file is the runner's own, but much in it was written by the job's author. It is read in a
 * confined child, and what comes back are the bounded fields below. Each part of a path is fit to
 * be a directory's name.
 */
#ifndef JACAMAR_CORE_JOB_H
#define JACAMAR_CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/error.h"
#include "core/url.h"

#define JOB_PATH_SIZE  1024
#define JOB_TOKEN_SIZE (64 * 1024 + 1)

struct job {
	uint64_t id;
	/* 0 or "" where the response does not say: */
	uint64_t project_id;
	uint64_t pipeline_id;
	uint64_t user_id;
	char project_path[JOB_PATH_SIZE];    /* group/project, as newer servers say it */
	char repository_path[JOB_PATH_SIZE]; /* of the repository's URL: the same, or below a prefix
					      */
	struct server origin;		     /* of the repository's URL */
};

/*
 * Reads the file of the descriptor `fd` in a confined child. `token` gets the id token: the first
 * of the variables `token_names` that the response has, else the first that the environment has
 * as CUSTOM_ENV_<NAME>; "" where there is none.
 */
int job_read(int fd, const struct string_list *token_names, struct job *job,
	     char token[JOB_TOKEN_SIZE], struct error *err);

/*
 * Checks that the response, of which `fd` is a descriptor, is that of the job `id`. It parses in
 * this very process: for a child that has nothing more to lose than the job itself.
 */
int job_check_id(int fd, uint64_t id, struct error *err);

/* The same in a confined child. */
int job_check_id_confined(int fd, uint64_t id, struct error *err);

/* Opens the response file `path` (NULL: the runner set none). */
int job_open(const char *path, struct error *err);

/* True for group/sub-group/project: parts of [A-Za-z0-9_.-], none of them "." or "..". */
bool job_is_project_path(const char *path);

/* The parser alone, in this process, without the environment. `token` may be NULL. */
int job_parse(const char *text, size_t size, const struct string_list *token_names, struct job *job,
	      char token[JOB_TOKEN_SIZE], struct error *err);

#endif
