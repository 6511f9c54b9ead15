/*
 * What a benchmark needs to make one run call alone, as often as it wants: files in the directory
 * of --prepare-only, after config and prepare.
 *
 *   call.sh     makes the call, with the runner's environment and nothing else, by exec
 *   cleanup.sh  calls cleanup, and removes the runner's temporary directory
 *   env         the environment: NAME=VALUE, each ended by a zero byte
 *   script      the script that the call runs (a link)
 */
#ifndef JACAMAR_T_PLAY_BENCH_H
#define JACAMAR_T_PLAY_BENCH_H

#include "t/play/session.h"

void bench_leave(struct session *session);

#endif
