/*
 * Checks of untrusted text: what is let through, to the byte.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"
#include "t/unit/suites.h"

START_TEST(only_printable_ascii_is_printable)
{
	for (int byte = 1; byte < 256; byte++) {
		char text[4] = {'a', (char)byte, 'b', '\0'};
		bool printable = byte >= 0x20 && byte <= 0x7e;
		ck_assert_msg(text_is_printable(text) == printable, "byte %d", byte);
		text_make_printable(text);
		ck_assert_int_eq(text[1], printable ? (char)byte : '?');
		ck_assert_int_eq(text[0], 'a');
		ck_assert_int_eq(text[2], 'b');
	}
	ck_assert(!text_is_printable(""));
}
END_TEST

static const struct {
	const char *text;
	const char *set;
	size_t most;
	bool fits;
} SETS[] = {
	{"", TEXT_DIGIT, 3, false},	   {"1", TEXT_DIGIT, 3, true},
	{"123", TEXT_DIGIT, 3, true},	   {"1234", TEXT_DIGIT, 3, false},
	{"12a", TEXT_DIGIT, 3, false},	   {" 12", TEXT_DIGIT, 3, false},
	{"12\n", TEXT_DIGIT, 3, false},	   {"aZ09_-", TEXT_WORD, 6, true},
	{"a.b", TEXT_WORD, 6, false},	   {"a/b", TEXT_WORD, 6, false},
	{"\xc3\xa9", TEXT_WORD, 6, false},
};

START_TEST(text_is_held_against_its_set_and_length)
{
	ck_assert_int_eq(text_is_made_of(SETS[_i].text, SETS[_i].set, SETS[_i].most),
			 SETS[_i].fits);
}
END_TEST

static const struct {
	const char *text;
	bool fits;
} COMPONENTS[] = {
	{"a", true},	 {"a.b", true},	       {"-a", true},   {"_", true},
	{"a..b", true},	 {"0123456789", true}, {"", false},    {".", false},
	{"..", false},	 {".a", false},	       {"a/b", false}, {"/", false},
	{"a b", false},	 {"a\nb", false},      {"a\\", false}, {"01234567890", false},
	{"\xff", false}, {"$a", false},	       {"*", false},
};

START_TEST(a_component_names_a_directory_and_nothing_else)
{
	ck_assert_int_eq(text_is_component(COMPONENTS[_i].text, 10), COMPONENTS[_i].fits);
}
END_TEST

static const struct {
	const char *text;
	bool reads;
	uint64_t value;
} NUMBERS[] = {
	{"0", true, 0},
	{"7", true, 7},
	{"007", true, 7},
	{"18446744073709551615", true, UINT64_MAX},
	{"18446744073709551616", false, 0},
	{"99999999999999999999", false, 0},
	{"000000000000000000001", false, 0},
	{"", false, 0},
	{"-1", false, 0},
	{"+1", false, 0},
	{" 1", false, 0},
	{"1 ", false, 0},
	{"1\n", false, 0},
	{"0x10", false, 0},
	{"1e3", false, 0},
	{"1.0", false, 0},
};

START_TEST(a_number_is_decimal_digits_in_range)
{
	uint64_t value = 0;
	ck_assert_int_eq(text_to_u64(NUMBERS[_i].text, &value), NUMBERS[_i].reads);
	if (NUMBERS[_i].reads)
		ck_assert_uint_eq(value, NUMBERS[_i].value);
}
END_TEST

START_TEST(a_copy_is_whole_or_empty)
{
	char out[4] = "xyz";
	ck_assert(text_copy(out, sizeof(out), "abc"));
	ck_assert_str_eq(out, "abc");
	ck_assert(!text_copy(out, sizeof(out), "abcd"));
	ck_assert_str_eq(out, "");
	ck_assert(text_copy(out, sizeof(out), ""));
	ck_assert_str_eq(out, "");
}
END_TEST

static const struct {
	const char *text;
	size_t length; /* 0: it is not well-formed */
	uint32_t code;
} CHARACTERS[] = {
	{"a\xc3", 1, 'a'},
	{"\x7f", 1, 0x7f},
	{"\xc2\x80", 2, 0x80},
	{"\xdf\xbf", 2, 0x7ff},
	{"\xe0\xa0\x80", 3, 0x800},
	{"\xed\x9f\xbf", 3, 0xd7ff},
	{"\xee\x80\x80", 3, 0xe000},
	{"\xef\xbf\xbf", 3, 0xffff},
	{"\xf0\x90\x80\x80", 4, 0x10000},
	{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	{"", 0, 0},
	{"\x80", 0, 0},
	{"\xbf\x80", 0, 0},
	{"\xc0\x80", 0, 0},
	{"\xc1\xbf", 0, 0},
	{"\xc2", 0, 0},
	{"\xc2\xc2", 0, 0},
	{"\xe0\x9f\xbf", 0, 0},
	{"\xed\xa0\x80", 0, 0},
	{"\xed\xbf\xbf", 0, 0},
	{"\xe2\x82", 0, 0},
	{"\xf0\x8f\xbf\xbf", 0, 0},
	{"\xf4\x90\x80\x80", 0, 0},
	{"\xf5\x80\x80\x80", 0, 0},
	{"\xf8\x88\x80\x80\x80", 0, 0},
	{"\xff", 0, 0},
};

START_TEST(a_character_is_well_formed_utf8)
{
	size_t size = strlen(CHARACTERS[_i].text);
	/* A copy of exactly that size, so that a sanitizer sees any byte read behind it. */
	char *exact = malloc(size + 1);
	uint32_t code = 0;
	memcpy(exact, CHARACTERS[_i].text, size);
	exact = realloc(exact, size > 0 ? size : 1);
	ck_assert_uint_eq(text_character(exact, size, &code), CHARACTERS[_i].length);
	if (CHARACTERS[_i].length > 0)
		ck_assert_uint_eq(code, CHARACTERS[_i].code);
	free(exact);
}
END_TEST

START_TEST(formatted_text_is_new_memory)
{
	char *text = text_format("%s-%d", "a", 1);
	ck_assert_str_eq(text, "a-1");
	free(text);
}
END_TEST

Suite *text_suite(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("text");

	tcase_add_test(tcase, only_printable_ascii_is_printable);
	tcase_add_loop_test(tcase, text_is_held_against_its_set_and_length, 0, ROWS(SETS));
	tcase_add_loop_test(tcase, a_component_names_a_directory_and_nothing_else, 0,
			    ROWS(COMPONENTS));
	tcase_add_loop_test(tcase, a_number_is_decimal_digits_in_range, 0, ROWS(NUMBERS));
	tcase_add_test(tcase, a_copy_is_whole_or_empty);
	tcase_add_loop_test(tcase, a_character_is_well_formed_utf8, 0, ROWS(CHARACTERS));
	tcase_add_test(tcase, formatted_text_is_new_memory);
	suite_add_tcase(suite, tcase);
	return suite;
}
