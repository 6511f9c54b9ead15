/*
 * The checks of `jacamar doctor`, one subject a file. Each check adds its results (findings.h).
 */
#ifndef JACAMAR_CORE_DOCTOR_CHECKS_H
#define JACAMAR_CORE_DOCTOR_CHECKS_H

#include "core/doctor/findings.h"

/* Finds the service account (service.h), from the program and the files that are named. */
void doctor_find_service(struct doctor *doctor);

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
void doctor_check_cgroup(struct doctor *doctor);
void doctor_check_container(struct doctor *doctor);
void doctor_check_user(struct doctor *doctor);
void doctor_check_data_dir(struct doctor *doctor, const struct account *account); /* of a user */
void doctor_check_scheduler(struct doctor *doctor);

#endif
