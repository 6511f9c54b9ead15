/*
 * Access control lists of NFS version 4, in the form in which the kernel shows them.
 */
#include <stdint.h>
#include <string.h>

#include "core/lib/writers.h"
#include "t/unit/suites.h"

/* An entry: its type, flags and mask (none of which matter), a length and a name. */
#define ENTRY(length, name) "\0\0\0\0\0\0\0\x40\0\x16\x01\xa7\0\0\0" length name
#define OWNER		    ENTRY("\6", "OWNER@\0\0")
#define GROUP		    ENTRY("\6", "GROUP@\0\0")
#define EVERYONE	    ENTRY("\11", "EVERYONE@\0\0\0")
#define LIST(count, text)   .bytes = "\0\0\0" count text, .size = sizeof(text) + 3

static const struct {
	const char *bytes;
	size_t size;
	bool plain;
} LISTS[] = {
	{LIST("\3", OWNER GROUP EVERYONE), .plain = true},
	{LIST("\0", ""), .plain = true},
	{LIST("\4", OWNER ENTRY("\11", "kim@site.\0\0\0") GROUP EVERYONE), .plain = false},
	{LIST("\1", ENTRY("\7", "OWNER@x\0")), .plain = false},
	{LIST("\1", ENTRY("\5", "OWNER\0\0\0")), .plain = false},
	{LIST("\1", ENTRY("\0", "")), .plain = false},
	/* Cut, or with more entries than there are. */
	{LIST("\2", OWNER), .plain = false},
	{LIST("\1", "\0\0\0\0\0\0\0\x40"), .plain = false},
	{LIST("\1", ENTRY("\11", "EVERY")), .plain = false},
	{.bytes = "\0\0", .size = 2, .plain = false},
	{.bytes = "\xff\xff\xff\xff", .size = 4, .plain = false},
	{.bytes = "", .size = 0, .plain = false},
};

START_TEST(a_list_that_names_an_account_is_not_plain)
{
	ck_assert(writers_nfs4_list_is_plain((const unsigned char *)LISTS[_i].bytes,
					     LISTS[_i].size) == LISTS[_i].plain);
}
END_TEST

Suite *writers_suite(void)
{
	Suite *suite = suite_create("writers");
	TCase *tcase = tcase_create("nfs4");
	tcase_add_loop_test(tcase, a_list_that_names_an_account_is_not_plain, 0, ROWS(LISTS));
	suite_add_tcase(suite, tcase);
	return suite;
}
