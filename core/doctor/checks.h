/*
 * Checks for what keeps an installation from running jobs, or weakens its security. Each adds its
 * findings. It adds a remedy only if it is certain what repairs the fault.
 *
 * Nothing is changed, on disk or elsewhere, and no privilege is used. The only programs that are
 * executed are sudo, for its list of permissions, and setpriv if root is the caller. To find out
 * what the rest of the program would refuse, doctor calls the functions that refuse it. If the
 * caller lacks the permission for a check, it is skipped, and its finding names the account that
 * can make it.
 *
 * The checks of one subject are in a file, and add their results to the findings (findings.h).
 */
#ifndef JACAMAR_CORE_DOCTOR_CHECKS_H
#define JACAMAR_CORE_DOCTOR_CHECKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/doctor/findings.h"

/* Finds it all out. The caller calls doctor_free. */
void doctor_run(struct doctor *doctor);
void doctor_free(struct doctor *doctor);

/* The worst of the findings. */
enum doctor_result doctor_verdict(const struct doctor *doctor);

/* Finds the service account (service.c), from the program and the files that are named. */
void doctor_find_service(struct doctor *doctor);

/* What points to that account. */
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

/* How the account is known by them, or SERVICE_UNKNOWN. */
enum service_source service_choose(const struct service_clues *clues);

/*
 * For root, which has given up its capabilities and cannot read the files of the service account:
 * a process of the service account makes the checks. True if its findings are there.
 */
bool doctor_ask_as_service(struct doctor *doctor);

/* The checks of one subject, in the order of the report. */
void doctor_check_program(struct doctor *doctor);
void doctor_check_jacamar(struct doctor *doctor); /* after the directories above the program */
void doctor_check_service(struct doctor *doctor);
void doctor_check_configuration(struct doctor *doctor);
void doctor_check_runner(struct doctor *doctor);
void doctor_check_server(struct doctor *doctor);
void doctor_check_sudo(struct doctor *doctor);
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_container(struct doctor *doctor);
void doctor_check_user(struct doctor *doctor);
void doctor_check_data_dir(struct doctor *doctor, const struct account *account); /* of a user */
void doctor_check_scheduler(struct doctor *doctor);

/* sudoers.c reads the output of `sudo -l`: the options in effect, then the commands allowed. */

/* Joins lines that sudo has folded, in place. Call it before the two functions below. */
void sudo_listing_unfold(char *listing);

/* True if the last line with exactly `command` asks for a password; false without such a line. */
bool sudo_listing_asks_password(const char *listing, const char *command);

/* True if the option is set for all commands, or for the program `path`. */
bool sudo_listing_has_option(const char *listing, const char *option, const char *path);

#endif
