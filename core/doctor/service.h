/*
 * Whom the runner runs as. Remedies let that account become every other, so who owns a file that
 * was named does not say it.
 */
#ifndef JACAMAR_CORE_DOCTOR_SERVICE_H
#define JACAMAR_CORE_DOCTOR_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

/* What says it. */
enum service_source {
	SERVICE_UNKNOWN,
	SERVICE_OF_GROUP,	/* it is the account that root's program is for */
	SERVICE_OF_CALLER,	/* who asks */
	SERVICE_OF_RUNNER_FILE, /* whose it is */
};

struct service_clues {
	uid_t caller;
	/* Of the program that the runner executes; without one none is set. */
	bool is_private; /* not everyone may execute it */
	bool is_capable; /* its file has capabilities */
	bool is_let_in;	 /* who asks may execute it */
	bool is_of_root; /* so are its file and its group */
	bool has_group;	 /* it is root's, and an account that is not root has its group's name */

	bool has_runner_file;	   /* it was named, and nobody but its owner had a hand in it */
	uid_t configuration_owner; /* root where it is not there */
};

enum service_source service_choose(const struct service_clues *clues);

#endif
