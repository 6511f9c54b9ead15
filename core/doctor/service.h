/*
 * Finds out which account GitLab Runner runs as (the service account). If root follows the remedies
 * that doctor prints, this account can become every other account. So the fact that an account owns
 * a file is never enough to choose it.
 */
#ifndef JACAMAR_CORE_DOCTOR_SERVICE_H
#define JACAMAR_CORE_DOCTOR_SERVICE_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/doctor/findings.h"

struct service_clues {
	uid_t caller;
	/* About the program that the runner executes; all are false without a program. */
	bool is_private; /* not everyone may execute it */
	bool is_capable; /* its file has capabilities */
	bool is_let_in;	 /* the caller may execute it */
	bool is_of_root; /* its owner and its group are root */
	bool has_group;	 /* root owns it, and an account other than root is named like its group */

	bool has_runner_file;	   /* it was named, and only its owner could have put it there */
	uid_t configuration_owner; /* root if the file does not exist */
};

enum service_source service_choose(const struct service_clues *clues);

#endif
