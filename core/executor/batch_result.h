/*
 * How a batch job ended: by what the node has written and what the scheduler reports.
 */
#ifndef JACAMAR_CORE_EXECUTOR_BATCH_RESULT_H
#define JACAMAR_CORE_EXECUTOR_BATCH_RESULT_H

#include <stdbool.h>

#include "core/executor/batch_job.h"
#include "core/executor/batch_phase.h"
#include "core/lib/error.h"

/*
 * What the scheduler's last answer means in this phase; `is_answered`: it is new. TIME_IS_UP if the
 * end has been seen, and the scheduler has not explained it in time.
 */
enum batch_event batch_result_event(const struct batch_job *batch, bool is_answered);

/* The job's result, after `event` has ended the phase `last`: *exit_code, or -1 with *err. */
int batch_result_conclude(const struct batch_job *batch, enum batch_phase last,
			  enum batch_event event, int *exit_code, struct error *err);

#endif
