/*
 * The job, as GitLab's response to the runner describes it (the file of JOB_RESPONSE_FILE; the
 * fields are those of the runner's common/network.go, `JobResponse`).
 *
 * The file is the runner's own, but the job's author wrote much of its content. A confined child
 * reads it and returns the bounded fields below. Each part of a path is a valid directory name.
 */
#ifndef JACAMAR_CORE_IDENTITY_JOB_H
#define JACAMAR_CORE_IDENTITY_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/lib/error.h"
#include "core/lib/image_name.h"
#include "core/lib/url.h"

#define JOB_PATH_SIZE	    1024
#define JOB_ENTRYPOINT_SIZE 1024
#define JOB_TOKEN_SIZE	    (64 * 1024 + 1)

/* Of the job's own token, CI_JOB_TOKEN; web servers accept a header of about that size. */
#define CI_JOB_TOKEN_SIZE (8 * 1024 + 1)

struct job {
	uint64_t id;
	/* 0 or "" if the response does not have it: */
	uint64_t project_id;
	uint64_t pipeline_id;
	uint64_t user_id;
	uint64_t scoped_user_id;	  /* the person for whom a machine account, user_id, acts */
	char project_path[JOB_PATH_SIZE]; /* group/project; only newer servers send it */
	char repository_path[JOB_PATH_SIZE]; /* of the repository's URL; may have a prefix */
	struct server origin;		     /* of the repository's URL */
	/* As the author wrote it, cut if it is too long for the name of an image. */
	char image[IMAGE_NAME_SIZE + 1];
	char entrypoint[JOB_ENTRYPOINT_SIZE]; /* a JSON array of strings; "?": it is invalid */
};

/*
 * Reads the descriptor `fd` in a confined child. `token` gets the id token: the first of the
 * variables `token_names` that the response has, else the first that the environment has as
 * CUSTOM_ENV_<NAME>; "" if there is none.
 */
int job_read(int fd, const struct string_list *token_names, struct job *job,
	     char token[JOB_TOKEN_SIZE], struct error *err);

/*
 * Reads the job's own token, the response's `token`, in a confined child. It has only bytes that
 * are valid in an HTTP header. The caller overwrites it, also after a failure.
 */
int job_read_own_token(int fd, char token[CI_JOB_TOKEN_SIZE], struct error *err);

/*
 * Checks that the response, of which `fd` is a descriptor, is that of the job `id`. It parses in
 * this process, which must have nothing to lose but the job itself.
 */
int job_check_id(int fd, uint64_t id, struct error *err);

/* The same in a confined child. */
int job_check_id_confined(int fd, uint64_t id, struct error *err);

/* Opens the response file `path` (NULL: the runner set none). */
int job_open(const char *path, struct error *err);

/* True for group/sub-group/project: parts of [A-Za-z0-9_.-], none of them "." or "..". */
bool job_is_project_path(const char *path);

/* Only parses, in this process, without the environment. `token_names` and `token` may be NULL. */
int job_parse(const char *text, size_t size, const struct string_list *token_names, struct job *job,
	      char token[JOB_TOKEN_SIZE], struct error *err);

#endif
