#include "core/executor/pending.h"

#include <stdio.h>

#include "core/lib/io.h"

/* A reason counts if it is still there after this time: it may be of a moment. */
#define CONFIRM_MS 5000

void pending_init(struct pending *pending, int64_t most_ms)
{
	*pending = (struct pending){.most_ms = most_ms, .since = -1, .hopeless_at = -1};
}

static bool is_hopeless(struct pending *pending, const struct job_status *status)
{
	const struct batch_answer *answer = &status->answer;
	if (answer->meaning != BATCH_HOPELESS) {
		pending->hopeless_at = -1;
		return false;
	}
	if (pending->hopeless_at < 0)
		pending->hopeless_at = status->asked_at;
	if (status->asked_at < pending->hopeless_at + CONFIRM_MS)
		return false;
	snprintf(pending->why, sizeof(pending->why), "it can never start (%s): %s",
		 answer->reason[0] != '\0' ? answer->reason : answer->name, answer->why);
	return true;
}

static bool is_too_long(struct pending *pending, const struct job_status *status)
{
	const struct batch_answer *answer = &status->answer;
	bool waits = answer->meaning == BATCH_WAITING || answer->meaning == BATCH_HOPELESS;
	if (pending->most_ms == 0 || !waits || status->asked_at < pending->since + pending->most_ms)
		return false;
	bool reason = answer->reason[0] != '\0';
	snprintf(pending->why, sizeof(pending->why),
		 "it has waited for %lld s in the queue, the limit of this site "
		 "(batch.max_pending); its last state was %s%s%s%s",
		 (long long)(pending->most_ms / 1000), answer->name, reason ? " (" : "",
		 answer->reason, reason ? ")" : "");
	return true;
}

bool pending_is_over(struct pending *pending, const struct job_status *status, bool waits)
{
	if (!waits) {
		pending->since = pending->hopeless_at = -1;
		return false;
	}
	if (pending->since < 0)
		pending->since = io_now_ms();
	return is_hopeless(pending, status) || is_too_long(pending, status);
}

int64_t pending_urgent_from(const struct pending *pending, const struct job_status *status)
{
	int64_t limit = pending->since + pending->most_ms;
	if (pending->since >= 0 && pending->most_ms > 0 && io_now_ms() >= limit &&
	    status->asked_at < limit)
		return limit;
	return pending->hopeless_at >= 0 ? pending->hopeless_at + CONFIRM_MS : -1;
}
