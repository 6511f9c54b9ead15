/*
 * GitLab's ids and strings in JSON.
 */
#include "core/lib/json.h"
#include "t/unit/suites.h"

static const struct {
	const char *text;
	bool required; /* json_id takes it */
	bool optional; /* json_optional_id takes it */
	uint64_t id;
} IDS[] = {
	{"{\"id\": 7}", true, true, 7},
	{"{\"id\": \"7\"}", true, true, 7},
	{"{\"id\": 0}", true, true, 0},
	{"{\"id\": 9223372036854775807}", true, true, 9223372036854775807U},
	{"{\"id\": \"18446744073709551615\"}", true, true, UINT64_MAX},
	{"{\"id\": null}", false, true, 0},
	{"{}", false, true, 0},
	{"{\"id\": -1}", false, false, 0},
	{"{\"id\": \"\"}", false, false, 0},
	{"{\"id\": \"-1\"}", false, false, 0},
	{"{\"id\": \" 7\"}", false, false, 0},
	{"{\"id\": \"7a\"}", false, false, 0},
	{"{\"id\": \"18446744073709551616\"}", false, false, 0},
	{"{\"id\": 7.0}", false, false, 0},
	{"{\"id\": true}", false, false, 0},
	{"{\"id\": [7]}", false, false, 0},
	{"{\"id\": {\"id\": 7}}", false, false, 0},
};

START_TEST(an_id_is_a_number_or_its_digits)
{
	json_t *object = json_loads(IDS[_i].text, 0, NULL);
	uint64_t id = 1;
	ck_assert_ptr_nonnull(object);
	ck_assert_int_eq(json_id(json_object_get(object, "id"), &id), IDS[_i].required);
	if (IDS[_i].required)
		ck_assert_uint_eq(id, IDS[_i].id);
	id = 1;
	ck_assert_int_eq(json_optional_id(object, "id", &id), IDS[_i].optional);
	if (IDS[_i].optional)
		ck_assert_uint_eq(id, IDS[_i].id);
	json_decref(object);
}
END_TEST

START_TEST(a_string_is_copied_whole_or_not)
{
	json_t *object = json_pack("{s:s, s:i, s:n}", "s", "abc", "i", 1, "n");
	char out[4] = "x";
	ck_assert(json_copy_string(object, "s", out, sizeof(out)));
	ck_assert_str_eq(out, "abc");
	ck_assert(!json_copy_string(object, "s", out, 3));
	ck_assert_str_eq(out, "");
	ck_assert(!json_copy_string(object, "i", out, sizeof(out)));
	ck_assert(!json_copy_string(object, "n", out, sizeof(out)));
	ck_assert(!json_copy_string(object, "absent", out, sizeof(out)));
	ck_assert(!json_copy_string(NULL, "s", out, sizeof(out)));
	json_decref(object);
}
END_TEST

Suite *json_suite(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");

	tcase_add_loop_test(tcase, an_id_is_a_number_or_its_digits, 0, ROWS(IDS));
	tcase_add_test(tcase, a_string_is_copied_whole_or_not);
	suite_add_tcase(suite, tcase);
	return suite;
}
