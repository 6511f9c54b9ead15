/*
 * The course of a job: what is called, in which order, and what a failure means for the rest.
 */
#ifndef JACAMAR_T_PLAY_COURSE_H
#define JACAMAR_T_PLAY_COURSE_H

#include "t/play/session.h"

/* With --prepare-only the job ends before its first sub-stage, and leaves what bench.h says. */
struct verdict course_play(struct session *session);

#endif
