/*
 * A channel's header as the service's side would make it, for tests of the user's side: a job of
 * this process's own account, without downscoping, that lives in a scratch directory.
 */
#ifndef JACAMAR_UNIT_HEADER_H
#define JACAMAR_UNIT_HEADER_H

#include "core/protocol/channel.h"

struct test_header {
	struct channel_header header;
	char cookie[STATE_COOKIE_SIZE];
	char base[ACCOUNT_PATH_SIZE];
	char builds_dir[2 * ACCOUNT_PATH_SIZE];
	char cache_dir[2 * ACCOUNT_PATH_SIZE];
	char scripts_dir[2 * ACCOUNT_PATH_SIZE];
	json_t *names;
};

/* The job's account has `home` as its home; the base is "<home>/.jacamar-ci". */
void test_header_init(struct test_header *made, const char *home);
void test_header_free(struct test_header *made);

#endif
