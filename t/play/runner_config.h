/*
 * The settings in GitLab Runner's config.toml that matter to the custom executor. The reader knows
 * only the TOML that such a file uses, and reads the first table of [[runners]].
 */
#ifndef JACAMAR_T_PLAY_RUNNER_CONFIG_H
#define JACAMAR_T_PLAY_RUNNER_CONFIG_H

enum stage { STAGE_CONFIG, STAGE_PREPARE, STAGE_RUN, STAGE_CLEANUP, STAGE_COUNT };

extern const char *const STAGE_NAMES[STAGE_COUNT];

struct driver_command {
	char *path;	  /* NULL: not configured */
	char **arguments; /* ends in NULL; never NULL itself */
	long timeout;	  /* seconds; 0: none (of run, which lasts as long as the job may) */
};

struct runner_config {
	char *token; /* these three: NULL where not set */
	char *builds_dir;
	char *cache_dir;
	char **environment; /* NAME=VALUE, ends in NULL */
	struct driver_command commands[STAGE_COUNT];
	long graceful_kill_timeout; /* seconds */
	long force_kill_timeout;
};

/* A file that cannot be read ends the program with EXIT_USAGE. */
struct runner_config runner_config_load(const char *path);
void runner_config_free(struct runner_config *config);

#endif
