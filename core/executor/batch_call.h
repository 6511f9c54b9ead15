/*
 * What batch_run and batch_clean_up are called with.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_CALL_H
#define JACAMAR_CORE_EXECUTOR_BATCH_CALL_H

#include "core/executor/scheduler_client.h"
#include "core/protocol/channel.h"
#include "core/workspace/script.h"

struct batch_call {
	const char *substage;	     /* only for batch_run */
	const struct script *script; /* only for batch_run: received */
	const struct channel_header *header;
	const struct channel_reader *channel;
	struct batch_reporter reporter;
};

/* An exit code: the scheduler has ended or refused the job. */
#define BATCH_FAILED 1

#endif
