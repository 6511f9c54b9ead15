#include "core/privilege/confined_uids.h"

#include <stdint.h>
#include <unistd.h>

#include "config/check.h"
#include "core/lib/account.h"
#include "core/process/process_scan.h"

/*
 * The size of the range is the kernel's limit for pids (PID_MAX_LIMIT), so that each pid has its
 * own uid. The uids are above the defaults of directories (SSSD up to 2000200000, FreeIPA up to
 * 2000199999), and outside of the ranges that systemd reserves: 61184-65519 (DynamicUser=),
 * 524288-1879048191 (containers, and most ranges of subuid(5)), 2147352576-2147418111 (foreign
 * uids). They are below 2147483648: programs that store a uid in an int would see a negative
 * number.
 */
#define DEFAULT_FIRST 2100000000
#define DEFAULT_LAST  (DEFAULT_FIRST + 4194303)

/* How many uids of the range are tried. */
#define TRIES_MOST 64

static uid_t first = DEFAULT_FIRST;
static uid_t last = DEFAULT_LAST;
static uid_t skipped; /* how many uids of the range this process does not use */
static bool asks_accounts = true;
static bool is_checked;

int confined_uids_set(const char *range, bool asks, struct error *err)
{
	first = DEFAULT_FIRST;
	last = DEFAULT_LAST;
	skipped = 0;
	asks_accounts = asks;
	is_checked = false;
	const char *rule = range != NULL ? parse_uid_range(range, &first, &last) : NULL;
	return rule == NULL ? 0
			    : error_set_key(err, "auth.confined_uids", ERROR_SYSTEM,
					    "auth.confined_uids %s", rule);
}

bool confined_uids_have(uid_t uid)
{
	return uid >= first && uid <= last;
}

static uint64_t count(void)
{
	return (uint64_t)last - first + 1;
}

uid_t confined_uids_own(void)
{
	return first + (uid_t)(((uint64_t)getpid() + skipped) % count());
}

int confined_uids_choose(uid_t *uid, struct error *err)
{
	uint64_t most = count() < TRIES_MOST ? count() : TRIES_MOST;
	for (uint64_t tried = 0; tried < most; tried++) {
		*uid = confined_uids_own();
		bool free = *uid != geteuid() && !process_scan_has_uid(*uid);
		bool asks = asks_accounts && free && !is_checked;
		int unused = asks ? account_find_uid(*uid, err) : 1;
		if (unused < 0)
			return -1;
		if (free && unused > 0) {
			is_checked = true;
			return 0;
		}
		skipped++;
		is_checked = false;
	}
	return error_set_key(err, "auth.confined_uids", ERROR_SYSTEM,
			     "all uids of auth.confined_uids that were tried have a process or an "
			     "account, uid %u among them: set it to a larger range of uids that no "
			     "account has",
			     (unsigned int)*uid);
}
