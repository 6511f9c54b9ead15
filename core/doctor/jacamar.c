/*
 * The program that is executed as the user.
 */
#include <sys/stat.h>

#include "core/doctor/checks.h"
#include "core/lib/io.h"
#include "core/lib/secure_path.h"
#include "core/privilege/trusted_program.h"

char *doctor_find_jacamar(const struct doctor *doctor)
{
	struct error err;
	if (doctor->settings != NULL && doctor->settings->auth.jacamar_path != NULL)
		return trusted_program_find(doctor->settings->auth.jacamar_path, &err);
	return doctor->program != NULL ? doctor_find_beside(doctor) : NULL;
}

/* By the same rules as when a job executes it. */
void doctor_check_jacamar(struct doctor *doctor)
{
	cleanup_free char *jacamar = doctor_find_jacamar(doctor);
	struct error err = {.detail = ""};
	struct error ignored;
	struct secure_path_fault fault = {.entry = ""};
	struct stat file;
	if (jacamar == NULL)
		return;
	enum trusted_program_use use = trusted_program_use_of(doctor->downscope);
	const struct secure_path_terms terms = {.what = "a program", .owner = doctor->service.uid};
	cleanup_free char *resolved = trusted_program_resolve(jacamar, use, &err);
	cleanup_free char *trusted = secure_path_examine(jacamar, &terms, &fault, &ignored);
	bool is_fit = resolved != NULL && (trusted != NULL || use == PROGRAM_OF_SAME_ACCOUNT);
	if (is_fit && !capabilities_are_given(resolved)) {
		doctor_pass(doctor, "jacamar_path",
			    "%s is executable, and no other account can replace it", jacamar);
		return;
	}
	if (is_fit) {
		doctor_fail(doctor, "jacamar_path", "%s has capabilities, which it never needs",
			    resolved);
		doctor_mend(doctor, "setcap -r %s", resolved);
		return;
	}
	bool there = stat(jacamar, &file) == 0 && S_ISREG(file.st_mode);
	bool set_id = there && (file.st_mode & 06000) != 0;
	if (!doctor->as_service && trusted != NULL && there && !set_id &&
	    (file.st_mode & 001) != 0) {
		doctor_leave_to_service(doctor, "jacamar_path",
					"the program is owned by the service account");
		return;
	}
	/* A file that the caller owns passes only for the caller. */
	if (fault.entry[0] != '\0')
		doctor_say_fault(doctor, "jacamar_path", jacamar, &fault);
	else
		doctor_fail(doctor, "jacamar_path", "%s",
			    resolved != NULL ? ignored.detail : err.detail);
	if (fault.foreign && there && lstat(fault.entry, &file) == 0 && S_ISREG(file.st_mode))
		doctor_mend(doctor, "use a program that root has newly installed, not %s",
			    fault.entry);
	else if (fault.entry[0] != '\0')
		doctor_mend_fault(doctor, &fault);
	else if (trusted != NULL && set_id)
		doctor_mend(doctor, "chmod ug-s %s", trusted);
	else if (doctor->settings != NULL && doctor->settings->auth.jacamar_path != NULL)
		doctor_mend_key(doctor, "auth.jacamar_path", NULL);
	else if (there)
		doctor_mend(doctor, "chmod 0755 %s", trusted != NULL ? trusted : jacamar);
	else
		doctor_mend(doctor, "ln -s ../libexec/jacamar-ci %s", jacamar);
}
