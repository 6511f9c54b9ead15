/*
 * The bytes of a key set.
 */
#include <string.h>

#include "core/identity/jwks.h"
#include "t/unit/suites.h"

static const struct {
	const char *text;
	const char *reason; /* NULL: it is a set */
} SETS[] = {
	{"{\"keys\":[]}", NULL},
	{"{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}],\"x\":1}",
	 NULL},
	{"{\"keys\":[1,null]}", NULL},
	{"", "the key set is not JSON"},
	{"{\"keys\":[]", "the key set is not JSON"},
	{"{\"keys\":[]}x", "the key set is not JSON"},
	{"<html><body>Sign in</body></html>", "the key set is not JSON"},
	{"{\"keys\":[],\"keys\":[]}", "the key set is not JSON"},
	{"{\"keys\":[{\"kid\":\"a\",\"kid\":\"b\"}]}", "the key set is not JSON"},
	{"{}", "the key set has no array \"keys\""},
	{"[]", "the key set has no array \"keys\""},
	{"{\"keys\":{}}", "the key set has no array \"keys\""},
	{"{\"keys\":null}", "the key set has no array \"keys\""},
	{"{\"error\":\"unauthorized\"}", "the key set has no array \"keys\""},
};

START_TEST(a_set_is_an_object_with_an_array_of_keys)
{
	struct error err = {.detail = ""};
	json_t *set = jwks_parse(SETS[_i].text, strlen(SETS[_i].text), &err);
	if (SETS[_i].reason == NULL) {
		ck_assert_msg(set != NULL, "%s", err.detail);
		json_decref(set);
		return;
	}
	ck_assert_ptr_null(set);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	ck_assert_int_eq(strncmp(err.detail, SETS[_i].reason, strlen(SETS[_i].reason)), 0);
}
END_TEST

START_TEST(bytes_behind_the_end_are_not_read)
{
	struct error err;
	json_t *set = jwks_parse("{\"keys\":[]}garbage", 11, &err);
	ck_assert_ptr_nonnull(set);
	json_decref(set);
	ck_assert_ptr_null(jwks_parse("{\"keys\":[]}\0x", 13, &err));
}
END_TEST

Suite *jwks_suite(void)
{
	Suite *suite = suite_create("jwks");
	TCase *tcase = tcase_create("keyset");

	tcase_add_loop_test(tcase, a_set_is_an_object_with_an_array_of_keys, 0, ROWS(SETS));
	tcase_add_test(tcase, bytes_behind_the_end_are_not_read);
	suite_add_tcase(suite, tcase);
	return suite;
}
