/*
 * The TOML reader: what is read is what TOML 1.0 says, and the rest is refused with its line.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/toml_reader.h"

Suite *toml_suite(void);

/* Writes an entry as `[table]` or `table.key=value`, each ended by a semicolon. */
static void write_entry(void *context, const struct toml_entry *entry)
{
	const json_t *value = entry->value;
	size_t index;
	json_t *item;
	FILE *out = context;

	if (entry->key == NULL) {
		fprintf(out, "[%s];", entry->table);
		return;
	}
	fprintf(out, "%s%s%s=", entry->table, *entry->table != '\0' ? "." : "", entry->key);
	if (json_is_string(value))
		fprintf(out, "<%s>", json_string_value(value));
	if (json_is_integer(value))
		fprintf(out, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		fprintf(out, "%s", json_is_true(value) ? "true" : "false");
	json_array_foreach (value, index, item)
		fprintf(out, "<%s>", json_string_value(item));
	if (json_is_array(value))
		fprintf(out, "#%zu", json_array_size(value));
	fprintf(out, ";");
}

/* Reads the text; returns the entries, or the messages where there are any. */
static char *read_bytes(const char *text, size_t size)
{
	struct report report = {.path = "f"};
	char *entries = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&entries, &length);
	enum toml_extent extent = toml_read(text, size, false, &report, write_entry, out);

	fclose(out);
	if (report_is_clean(&report)) {
		ck_assert_int_eq(extent, TOML_WHOLE);
		return entries;
	}
	free(entries);
	char *messages = report_text(&report);
	report_clear(&report);
	return messages;
}

struct text_case {
	const char *text;
	const char *expected;
	size_t size; /* where the text holds a NUL; else 0 */
};

static void expect(const struct text_case *test)
{
	size_t size = test->size > 0 ? test->size : strlen(test->text);
	/* A copy of exactly that size, so that a sanitizer sees any byte read behind it. */
	char *exact = malloc(size > 0 ? size : 1);

	memcpy(exact, test->text, size);
	char *found = read_bytes(exact, size);
	ck_assert_msg(strcmp(found, test->expected) == 0, "\n%s\ngave     %s\nexpected %s",
		      test->text, found, test->expected);
	free(found);
	free(exact);
}

static const struct text_case GOOD[] = {
	{"", "", 0},
	{"\n\n", "", 0},
	{"# only a comment", "", 0},
	{"a = 1", "a=1;", 0},
	{"[t]\na = 1\n", "[t];t.a=1;", 0},
	{" [ t . u ] # c\n\ta=1 # c\n", "[t.u];t.u.a=1;", 0},

	/* what inih alone misreads */
	{"[t]\na = 1\n  b = 2\n\tc = 3\n", "[t];t.a=1;t.b=2;t.c=3;", 0},
	{"a = [\n  \"x\",\n  \"y\",\n]\nb = 1", "a=<x><y>#2;b=1;", 0},
	{"a = [ # one ]\n \"x\" # two \"\n , 'y' ]", "a=<x><y>#2;", 0},
	{"a = \"x ; y # z\" # c ; d\n", "a=<x ; y # z>;", 0},
	{"\xef\xbb\xbf"
	 "a = 1\r\n[t]\r\nb = [\r\n'x'\r\n]\r\n",
	 "a=1;[t];t.b=<x>#1;", 0},
	{"k12345678901234567890123456789012345678901234567890123456789 = 1\n"
	 "k12345678901234567890123456789012345678901234567890123456780 = 2\n",
	 "k12345678901234567890123456789012345678901234567890123456789=1;"
	 "k12345678901234567890123456789012345678901234567890123456780=2;",
	 0},
	{"[t]\n[u]\n[t.v]", "[t];[u];[t.v];", 0},

	/* keys */
	{"a-b_c1 = 1\n1 = 2\n\"q\" = 3\n'l' = 4", "a-b_c1=1;1=2;q=3;l=4;", 0},
	{"a . b = 1\na.c = 2\n\"a\".'d' = 3", "a.b=1;a.c=2;a.d=3;", 0},
	{"\"a.b\" = 1\na.b = 2", "\"a.b\"=1;a.b=2;", 0},
	{"\"\" = 1\n'\"' = 2\n\"\\u00e9\" = 3", "\"\"=1;\"\\\"\"=2;\"\\xc3\\xa9\"=3;", 0},
	{"\"\\u0061\" = 1", "a=1;", 0},
	{"[t]\nu.a = 1\n[t.u.v]\nb = 2", "[t];t.u.a=1;[t.u.v];t.u.v.b=2;", 0},
	{"[t.u.v]\n[t]\na = 1\n[t.u]\nb = 2", "[t.u.v];[t];t.a=1;[t.u];t.u.b=2;", 0},

	/* strings */
	{"a = \"\"\nb = ''", "a=<>;b=<>;", 0},
	{"a = \"\\b\\t\\n\\f\\r\\\"\\\\\"", "a=<\b\t\n\f\r\"\\>;", 0},
	{"a = \"\\u00e9\\u20ac\\U0001F600\\u007f\"",
	 "a=<\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f>;", 0},
	{"a = \"\xc3\xa9\xf4\x8f\xbf\xbf\tx\"", "a=<\xc3\xa9\xf4\x8f\xbf\xbf\tx>;", 0},
	{"a = 'C:\\n\"x'", "a=<C:\\n\"x>;", 0},
	{"a = \"\"\"\nx\n  y\"\"\"", "a=<x\n  y>;", 0},
	{"a = \"\"\"\r\nx\r\ny\r\n\"\"\"", "a=<x\ny\n>;", 0},
	{"a = \"\"\"x \\\n\n   y \\  \n\"\"\"", "a=<x y >;", 0},
	{"a = \"\"\"\"x\"\" y\"\"\"\"\"", "a=<\"x\"\" y\"\">;", 0},
	{"a = \"\"\"\\\"\"\"\"", "a=<\">;", 0},
	{"a = '''\n'x'' \\\n'''", "a=<'x'' \\\n>;", 0},
	{"a = [\"\"\"x\n\"\"\", '''y''']", "a=<x\n><y>#2;", 0},

	/* integers, booleans, arrays */
	{"a = +1\nb = -0\nc = 1_000\nd = 0", "a=1;b=0;c=1000;d=0;", 0},
	{"a = 0xDead_beef\nb = 0o755\nc = 0b1_01\nd = 0x0", "a=3735928559;b=493;c=5;d=0;", 0},
	{"a = 9223372036854775807\nb = -9223372036854775808",
	 "a=9223372036854775807;b=-9223372036854775808;", 0},
	{"a = true\nb = false#c", "a=true;b=false;", 0},
	{"a = []\nb = [\n# c\n]\nc = ['x']", "a=#0;b=#0;c=<x>#1;", 0},
};

START_TEST(well_formed_text_is_read_as_toml_says)
{
	expect(&GOOD[_i]);
}
END_TEST

#define CONTROL	  "f:1: a control character "
#define FORBIDS	  ", which TOML forbids"
#define STATEMENT " after the end of a statement"

static const struct text_case BAD[] = {
	/* bytes */
	{"a = 'x\0y'", "f:1: a NUL byte (byte 0x00)" FORBIDS, 9},
	{"a = 1\0", "f:1: a NUL byte (byte 0x00)" FORBIDS, 6},
	{"# \x01", CONTROL "(byte 0x01)" FORBIDS, 0},
	{"a = 'x\x7f'", CONTROL "(byte 0x7f)" FORBIDS, 0},
	{"a = \"\"\"\x1b\"\"\"", CONTROL "(byte 0x1b)" FORBIDS, 0},
	{"a = 1\rb = 2", "f:1: a carriage return without a line feed (byte 0x0d)" FORBIDS, 0},
	{"# c\r\r\n", "f:1: a carriage return without a line feed (byte 0x0d)" FORBIDS, 0},
	{"a = 1\n\r", "f:2: a carriage return without a line feed (byte 0x0d)" FORBIDS, 0},
	{"a = 1\r", "f:1: a carriage return without a line feed (byte 0x0d)" FORBIDS, 0},
	{"a = 1 # c\r", "f:1: a carriage return without a line feed (byte 0x0d)" FORBIDS, 0},
	{"a = '\xff'", "f:1: text that is not UTF-8 (byte 0xff)" FORBIDS, 0},
	{"# \xc0\xaf", "f:1: text that is not UTF-8 (byte 0xc0)" FORBIDS, 0},
	{"# \xed\xa0\x80", "f:1: text that is not UTF-8 (byte 0xed)" FORBIDS, 0},
	{"# \xf4\x90\x80\x80", "f:1: text that is not UTF-8 (byte 0xf4)" FORBIDS, 0},
	{"# \xe2\x82", "f:1: text that is not UTF-8 (byte 0xe2)" FORBIDS, 0},
	{"a = 1\n\xef\xbb\xbf"
	 "b = 2",
	 "f:2: the name of a key or table is missing here", 0},

	/* what inih would take for a comment or a pair */
	{"; = 1", "f:1: the name of a key or table is missing here", 0},
	{"a = 1 ; b", "f:1: unexpected text \";\" after the end of a statement", 0},
	{"a : 1", "f:1: a key needs an equals sign and a value", 0},

	/* keys and tables */
	{"\n = 1", "f:2: the name of a key or table is missing here", 0},
	{"a", "f:1: a key needs an equals sign and a value", 0},
	{"a b = 1", "f:1: a key needs an equals sign and a value", 0},
	{"a. = 1", "f:1: the name of a key or table is missing here", 0},
	{"a..b = 1", "f:1: the name of a key or table is missing here", 0},
	{"\"\"\"a\"\"\" = 1", "f:1: a key needs an equals sign and a value", 0},
	{"\xc3\xa9 = 1", "f:1: the name of a key or table is missing here", 0},
	{"a =", "f:1: a value is missing", 0},
	{"a = # c\n1", "f:1: a value is missing\nf:2: a key needs an equals sign and a value", 0},
	{"[]", "f:1: the name of a key or table is missing here", 0},
	{"[t", "f:1: the closing bracket of a table's name is missing", 0},
	{"[t] a = 1", "f:1: unexpected text \"a\"" STATEMENT, 0},
	{"a = 1 b = 2", "f:1: unexpected text \"b\"" STATEMENT, 0},
	{"a = \"x\"y", "f:1: unexpected text \"y\"" STATEMENT, 0},
	{"a = ['x'] ]", "f:1: unexpected text \"]\"" STATEMENT, 0},
	{"a = 1 \xc3\xa9", "f:1: unexpected text \"\\xc3\"" STATEMENT, 0},

	/* definitions */
	{"a = 1\na = 2", "f:2: the key a is defined already, on line 1", 0},
	{"a = 1\n\"a\" = 2", "f:2: the key a is defined already, on line 1", 0},
	{"[t]\n[u]\n[t]", "f:3: the table t is defined already, on line 1", 0},
	{"a = 1\n[a]", "f:2: the key a is defined already, on line 1", 0},
	{"a = 1\n[a.b]", "f:2: the key a is defined already, on line 1", 0},
	{"a = 1\na.b = 2", "f:2: the key a is defined already, on line 1", 0},
	{"a.b = 1\na = 2", "f:2: the table a is defined already, on line 1", 0},
	{"a.b = 1\n[a]", "f:2: the table a is defined already, on line 1", 0},
	{"[t]\nu.a = 1\n[t.u]", "f:3: the table t.u is defined already, on line 2", 0},
	{"[t.u]\n[t]\nu.a = 1", "f:3: the table t.u is defined already, on line 1", 0},
	{"[t.u]\n[t]\nu = 1", "f:3: the table t.u is defined already, on line 1", 0},
	{"[t.u.v]\n[t]\nu.a = 1", "f:3: the table t.u is defined already, on line 1", 0},

	/* strings */
	{"a = \"x\nb = 1", "f:1: a string without its closing \"", 0},
	{"a = 'x", "f:1: a string without its closing '", 0},
	{"b = 1\na = \"\"\"x\ny\n", "f:2: a string that opens here and is never closed", 0},
	{"a = '''x''", "f:1: a string that opens here and is never closed", 0},
	{"a = \"\"\"x\"\"\"\"\"\"", "f:1: unexpected text \"\\\"\"" STATEMENT, 0},
	{"a = \"\\q\"",
	 "f:1: an unknown escape \"\\\\q\" in a string; write \\\\ for a backslash, or use '...'",
	 0},
	{"a = \"\\",
	 "f:1: an unknown escape \"\\\\\" in a string; write \\\\ for a backslash, or "
	 "use '...'",
	 0},
	{"a = \"\"\"x \\ y\"\"\"",
	 "f:1: a backslash before a blank in a string; write \\\\ for a backslash", 0},
	{"a = \"\\u12\"", "f:1: an escape \\u needs 4 hexadecimal digits", 0},
	{"a = \"\\U0001F60", "f:1: an escape \\U needs 8 hexadecimal digits", 0},
	{"a = \"\\ud800\"", "f:1: the escape of U+D800, which is not a Unicode scalar value", 0},
	{"a = \"\\U00110000\"", "f:1: the escape of U+110000, which is not a Unicode scalar value",
	 0},
	{"a = \"\\u0000\"", "f:1: a string may not hold a NUL character", 0},
	{"\"\\u0000\" = 1", "f:1: a string may not hold a NUL character", 0},

	/* other values */
	{"a = 007", "f:1: \"007\" is an integer with a leading zero" FORBIDS, 0},
	{"a = 1__0", "f:1: \"1__0\" is not a number that TOML knows", 0},
	{"a = 1_", "f:1: \"1_\" is not a number that TOML knows", 0},
	{"a = _1", "f:1: \"_1\" is not a number that TOML knows", 0},
	{"a = +0x1", "f:1: \"+0x1\" is not a number that TOML knows", 0},
	{"a = 0x", "f:1: \"0x\" is not a number that TOML knows", 0},
	{"a = 0b2", "f:1: \"0b2\" is not a number that TOML knows", 0},
	{"a = 1k", "f:1: \"1k\" is not a number that TOML knows", 0},
	{"a = +", "f:1: \"+\" is not a number that TOML knows", 0},
	{"a = 9223372036854775808", "f:1: an integer that does not fit into 64 bits", 0},
	{"a = 1.5", "f:1: \"1.5\" is a float, which no key takes", 0},
	{"a = 1e3", "f:1: \"1e3\" is a float, which no key takes", 0},
	{"a = -inf", "f:1: \"-inf\" is a float, which no key takes", 0},
	{"a = 2024-01-02T03:04:05Z",
	 "f:1: \"2024-01-02T03:04:05Z\" is a date or a time, which no key takes", 0},
	{"a = 03:04:05", "f:1: \"03:04:05\" is a date or a time, which no key takes", 0},
	{"a = {b = 1}", "f:1: an inline table, which no key takes; write a [table]", 0},
	{"a = True", "f:1: \"True\" is not a value that TOML knows; a string needs quotes", 0},
	{"a = \xe2\x80\x9cx\xe2\x80\x9d",
	 "f:1: \"\\xe2\\x80\\x9cx\\xe2\\x80\\x9d\" is a string in typographic quotes; TOML needs "
	 "straight ones, \" or '",
	 0},
	{"a = \xc2\xabx\xc2\xbb",
	 "f:1: \"\\xc2\\xabx\\xc2\\xbb\" is not a value that TOML knows; a string needs quotes", 0},
	{"a = [1, 2]", "f:1: an array may hold strings only, each in quotes", 0},
	{"a = ['x', ['y']]", "f:1: an array may hold strings only, each in quotes", 0},
	{"a = [,]", "f:1: an array may hold strings only, each in quotes", 0},
	{"a = ['x',,]", "f:1: an array may hold strings only, each in quotes", 0},
	{"a = ['x' 'y']", "f:1: an array lacks a comma or its closing bracket here", 0},
	{"a = [\n'x'\nb = 1", "f:3: an array lacks a comma or its closing bracket here", 0},
	{"a = [\n'x',\n", "f:1: an array that opens here and is never closed", 0},

	/* every error, and no echoes of one */
	{"a = 'x\nb = 1.5\n[t\nc = 1\n[u]\nd = \"\\q\"\ne = 1",
	 "f:1: a string without its closing '\n"
	 "f:2: \"1.5\" is a float, which no key takes\n"
	 "f:3: the closing bracket of a table's name is missing\n"
	 "f:6: an unknown escape \"\\\\q\" in a string; write \\\\ for a backslash, or use '...'",
	 0},
	{"a = [\n 1,\n 'x = 2',\n]\nb = 1.5",
	 "f:2: an array may hold strings only, each in quotes\n"
	 "f:5: \"1.5\" is a float, which no key takes",
	 0},
	{"\x01 = \x02\n\xff",
	 "f:1: a control character (byte 0x01)" FORBIDS "\n"
	 "f:2: text that is not UTF-8 (byte 0xff)" FORBIDS,
	 0},
};

START_TEST(other_text_is_refused_with_its_line)
{
	expect(&BAD[_i]);
}
END_TEST

/* Lengths around those at which inih cuts: names of 50, lines of 200 bytes, and far over. */
static const size_t LENGTHS[] = {48, 49, 50, 51, 60, 196, 197, 198, 199, 200, 201, 4000, 100000};

START_TEST(long_names_and_values_are_not_cut)
{
	size_t length = LENGTHS[_i], name_length = length < 255 ? length : 255;
	char *value = malloc(length + 1), *name = malloc(name_length + 1);
	char *text = NULL, *expected = NULL;

	memset(value, 'v', length);
	value[length] = '\0';
	memcpy(value + length - 3, " ;v", 3);
	memset(name, 'n', name_length);
	name[name_length] = '\0';
	ck_assert(asprintf(&text, "[%s]\n%s = \"%s\"\nb = ['%s']", name, name, value, value) > 0);
	ck_assert(asprintf(&expected, "[%s];%s.%s=<%s>;%s.b=<%s>#1;", name, name, name, value, name,
			   value) > 0);
	expect(&(struct text_case){text, expected, 0});
	free(text);
	free(expected);
	free(value);
	free(name);
}
END_TEST

/* Repeats `piece` until `text` is full, and refuses it with `expected`. */
static void expect_repeated(const char *before, const char *piece, size_t times,
			    const char *expected)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	fprintf(stream, "%s", before);
	for (size_t i = 0; i < times; i++)
		fprintf(stream, "%s", piece);
	fclose(stream);
	expect(&(struct text_case){text, expected, size});
	free(text);
}

START_TEST(what_would_cost_too_much_is_refused)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	expect_repeated("", "n", 256, "f:1: a name of more than 255 bytes");
	expect_repeated("[a", ".a", 16, "f:1: more than 16 names joined by dots");
	expect_repeated("a", ".a", 500000, "f:1: more than 16 names joined by dots");
	expect_repeated("a = ", "[", 500000, "f:1: an array may hold strings only, each in quotes");
	for (int i = 0; i <= 1000; i++)
		fprintf(stream, "k%d = 1\n", i);
	fclose(stream);
	expect(&(struct text_case){text, "f:1001: more than 1000 keys and tables", size});
	free(text);
}
END_TEST

START_TEST(a_file_of_errors_does_not_fill_the_log)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	for (int i = 0; i < 5000; i++)
		fprintf(stream, "?\n");
	fclose(stream);
	char *found = read_bytes(text, size);
	const char *last = strrchr(found, '\n');
	ck_assert_str_eq(last, "\nf: there are more errors than these 200");
	free(found);
	free(text);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *toml_suite(void)
{
	Suite *suite = suite_create("toml");
	TCase *tcase = tcase_create("toml");

	tcase_add_loop_test(tcase, well_formed_text_is_read_as_toml_says, 0, COUNT(GOOD));
	tcase_add_loop_test(tcase, other_text_is_refused_with_its_line, 0, COUNT(BAD));
	tcase_add_loop_test(tcase, long_names_and_values_are_not_cut, 0, COUNT(LENGTHS));
	tcase_add_test(tcase, what_would_cost_too_much_is_refused);
	tcase_add_test(tcase, a_file_of_errors_does_not_fill_the_log);
	suite_add_tcase(suite, tcase);
	return suite;
}
