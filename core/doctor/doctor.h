/*
 * What keeps an installation from running jobs, or makes it weaker than it should be: a list of
 * checks. Each adds its findings, and a remedy only where it is certain what repairs the fault.
 *
 * Nothing is changed, on disk or elsewhere, and no privilege is used. The only programs that are
 * executed are sudo, for its list of permissions, and setpriv if root is the caller. What the rest
 * of the program refuses is judged by the functions that refuse it. A check that the caller lacks
 * permission for is skipped, and its finding names the account that can make it.
 */
#ifndef JACAMAR_CORE_DOCTOR_DOCTOR_H
#define JACAMAR_CORE_DOCTOR_DOCTOR_H

#include "core/doctor/findings.h"

/* Finds it all out. The caller calls doctor_free. */
void doctor_run(struct doctor *doctor);
void doctor_free(struct doctor *doctor);

/* The worst of the findings. */
enum doctor_result doctor_verdict(const struct doctor *doctor);

#endif
