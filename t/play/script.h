/*
 * The scripts of a job, in the shape that GitLab Runner's generator for bash gives them.
 */
#ifndef JACAMAR_T_PLAY_SCRIPT_H
#define JACAMAR_T_PLAY_SCRIPT_H

#include "t/play/job.h"
#include "t/play/text.h"

/* `legacy`: as before release 19, where the script is the right side of a pipe. */
struct text script_for(const struct job *job, const char *substage, bool legacy);

#endif
