#include "t/unit/header.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/protocol/environment.h"
#include "t/unit/scratch.h"

void test_header_init(struct test_header *made, const char *home)
{
	static unsigned int count;
	memset(made, 0, sizeof(*made));
	struct state *state = &made->header.state;
	struct account *account = &state->account;
	/* Unique among all tests and runs. */
	snprintf(made->cookie, sizeof(made->cookie), "unit-%d-%u", (int)getpid(), count++);
	snprintf(made->base, sizeof(made->base), "%s/.jacamar-ci", home);
	snprintf(made->builds_dir, sizeof(made->builds_dir), "%s/builds/short/000", made->base);
	snprintf(made->cache_dir, sizeof(made->cache_dir), "%s/cache", made->base);
	snprintf(made->scripts_dir, sizeof(made->scripts_dir),
		 "%s/scripts/short/000/group/project/981625", made->base);
	snprintf(account->name, sizeof(account->name), "usr");
	snprintf(account->home, sizeof(account->home), "%s", home);
	snprintf(account->shell, sizeof(account->shell), "/bin/bash");
	account->uid = geteuid();
	account->gid = getegid();
	made->names = json_array();

	state->job_id = 981625;
	state->project_id = 20;
	state->project_path = "group/project";
	state->short_token = "short";
	state->concurrent = "0";
	state->login = "usr";
	state->reference = "0123456789ab";
	state->cookie = made->cookie;
	state->settings.auth.downscope = DOWNSCOPE_NONE;
	state->base = made->base;
	state->builds_dir = made->builds_dir;
	state->cache_dir = made->cache_dir;
	state->scripts_dir = made->scripts_dir;
	state->jacamar = "/opt/jacamar/bin/jacamar";
	state->groups = made->names;  /* none: the account does not change */
	state->filters = made->names; /* none */
	state->settings.auth.logging.location = "syslog";
	state->settings.general.executor = EXECUTOR_SHELL;
	/* As the schema has it: the default is one at least. */
	static char *variables[] = {"SCHEDULER_PARAMETERS"};
	state->settings.batch.arguments_variable =
		(struct string_list){.items = variables, .count = 1};
	state->settings.auth.min_uid = 1000;
	state->settings.batch.allocation_idle_ms = 600000;
	/* Only against a hang. */
	state->settings.general.kill_timeout_ms = 600000;
	made->header.environment =
		environment_of_user(account, &state->settings.auth.downscope_env,
				    &state->settings.general.user_bash_env, made->cookie);
	ck_assert_ptr_nonnull(made->header.environment);
}

void test_header_free(struct test_header *made)
{
	json_decref(made->header.environment);
	json_decref(made->names);
	memset(made, 0, sizeof(*made));
}
