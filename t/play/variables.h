/*
 * The variables of a job, as its scripts export them, and the environment of every call of the
 * driver that is made of them.
 */
#ifndef JACAMAR_T_PLAY_VARIABLES_H
#define JACAMAR_T_PLAY_VARIABLES_H

#include "t/play/job.h"

struct variable {
	char *key;
	char *value;
	bool file; /* scripts export the path of a file that holds the value */
	bool raw;  /* not to be expanded */
};

struct variables {
	struct variable *items;
	size_t count;
};

/* The files of one try: in a directory that the runner makes and removes. */
struct job_files {
	char *directory;
	char *response;
	char *exit_code;
};

/* As the scripts export them: in the runner's order, repeats included, values expanded. */
struct variables job_variables(const struct job *job);
void variables_free(struct variables *variables);

/* Replaces variables in the name of the job's image, as the runner does before anything else. */
void job_expand_image(struct job *job);

/* The environment of one call of the driver: a list that ends in NULL, for strings_free. */
char **job_environment(const struct job *job, const struct job_files *files);

#endif
