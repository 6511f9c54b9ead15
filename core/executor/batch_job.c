#include "core/executor/batch_job.h"

#include "core/lib/io.h"

bool batch_job_is_shared(const struct batch_job *batch)
{
	return batch->call->header->allocation != NULL;
}

void batch_job_handle(struct batch_job *batch, enum batch_event event)
{
	enum batch_phase before = batch->phase;
	batch->phase = batch_phase_after(before, event);
	/* The next start writes a file of its own. */
	if (before == KILLED && batch->phase == QUEUED)
		batch_files_forget_exit(&batch->files, &batch->ended);
	if (batch->phase <= RUNNING) {
		batch->ended = BATCH_NO_EXIT;
		batch->ended_at = -1;
	} else if (batch->ended_at < 0) {
		batch->ended_at = io_now_ms();
	}
}
