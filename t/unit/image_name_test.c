/*
 * The names of images: what the author of a job writes becomes one full name or is refused, and the
 * list of a site allows no image that it does not name.
 */
#include <string.h>

#include "core/lib/image_name.h"
#include "t/unit/suites.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static const struct {
	const char *name;
	const char *full;
} NAMES[] = {
	{"python", "docker.io/library/python:latest"},
	{"python:3.12-slim", "docker.io/library/python:3.12-slim"},
	{"group/app", "docker.io/group/app:latest"},
	{"docker.io/python", "docker.io/library/python:latest"},
	{"docker.io/a/b/c", "docker.io/a/b/c:latest"},
	{"host:5000", "docker.io/library/host:5000"},
	{"host:5000/app", "host:5000/app:latest"},
	{"localhost/app:1", "localhost/app:1"},
	{"Registry.Example.com/a/b_c.d--e", "Registry.Example.com/a/b_c.d--e:latest"},
	{"python@" DIGEST, "docker.io/library/python@" DIGEST},
	{"r.example/app:1@" DIGEST, "r.example/app@" DIGEST},
	/* A transport of podman is the name of a repository here. */
	{"oci-archive:image.tar", "docker.io/library/oci-archive:image.tar"},
};

static const struct {
	const char *name;
	const char *full;
} SOURCES[] = {
	{"docker://python", "docker.io/library/python:latest"},
	{"oras://r.example/a/b:1", "oras://r.example/a/b:1"},
	{"library://entity/collection/app", "library://entity/collection/app:latest"},
	{"/images/a.b+c/x.sif", "/images/a.b+c/x.sif"},
	{"python", "docker.io/library/python:latest"},
};

static const char *const NO_NAMES[] = {
	"",
	"-v",
	"--privileged",
	"-v/app",
	"r.example/-app",
	"r.example/--entrypoint=sh/app",
	"python:-v",
	"python:.1",
	"python:",
	"python@",
	"python@sha256:12",
	"python@" DIGEST "0",
	"python@sha512:" HEX,
	"python@" DIGEST "@" DIGEST,
	"Python",
	"py thon",
	" python",
	"python ",
	"python\n",
	"python;id",
	"$(id)",
	"`id`",
	"python'",
	"python\"",
	"python,b",
	"pyth\xc3\xb6n",
	"python/",
	"/python",
	"a//b",
	"a/../b",
	"a/./b",
	"..",
	"r.example:x/app",
	"r.example:/app",
	"r.example:123456/app",
	"r.example:5000:1/app",
	"[::1]:5000/app",
	"a:b:c",
	"docker:///python",
	"dir:/etc",
	"containers-storage:[overlay@/tmp]x",
};

static const char *const NO_SOURCES[] = {
	"/etc/passwd",
	"/images/../etc/x.sif",
	"/.sif",
	"/images/a:b.sif",
	"/images/a,b.sif",
	"/images/a b.sif",
	"images/x.sif:",
	"docker://",
	"docker://docker://a",
	"http://r.example/a",
	"oras://-v",
	"shub://a/b",
	"library://",
	/* apptainer reads a part of the name, and a tag. */
	"library://a/b@" DIGEST,
	"/images/x.sif\n",
	"/images/x.sif@y.sif",
};

static const struct {
	const char *entry;
	const char *full;
	bool matches;
} ENTRIES[] = {
	{"docker.io/library/", "docker.io/library/python:latest", true},
	{"docker.io/", "docker.io/library/python:latest", true},
	{"docker.io/lib/", "docker.io/library/python:latest", false},
	{"r.example/group/", "r.example/group/a/b@" DIGEST, true},
	{"r.example/group/", "r.example/group:1", false},
	{"r.example/group/", "r.example.org/group/a:1", false},
	{"r.example/", "evil.example/r.example/a:1", false},
	{"r.example/app", "r.example/app:1", true},
	{"r.example/app", "r.example/app@" DIGEST, true},
	{"r.example/app", "r.example/app/more:1", false},
	{"r.example/app", "r.example/app-more:1", false},
	{"r.example/app:1", "r.example/app:1", true},
	{"r.example/app:1", "r.example/app:12", false},
	{"r.example/app:1", "r.example/app:2", false},
	{"r.example/app:1", "r.example/app@" DIGEST, false},
	{"r.example/app@" DIGEST, "r.example/app@" DIGEST, true},
	{"r.example/app@" DIGEST, "r.example/app:1", false},
	{DIGEST, "evil.example/app@" DIGEST, true},
	{DIGEST, "evil.example/app:1", false},
	{"/images/", "/images/a/b.sif", true},
	{"/images/", "/images-of-others/b.sif", false},
	{"/images/b.sif", "/images/b.sif", true},
	{"oras://r.example/", "oras://r.example/a:1", true},
	{"r.example/", "oras://r.example/a:1", false},
	{"oras://r.example/", "r.example/a:1", false},
};

/* They would match nothing, or not what they seem to. */
static const char *const NO_ENTRIES[] = {
	"",
	"python",
	"library/",
	"docker.io",
	"r.example",
	"r.example:5000",
	"r.example/app:1@" DIGEST,
	"docker://r.example/app",
	"*",
	"r.example/*",
	"r.example/app:*",
	"sha256:12",
	"/images",
	"/images/../x/",
	"images/",
	"r.example//",
};

START_TEST(a_name_becomes_a_full_name)
{
	char full[IMAGE_NAME_SIZE];
	ck_assert(image_name_complete(NAMES[_i].name, false, full));
	ck_assert_str_eq(full, NAMES[_i].full);
	/* What was completed once stays the same. */
	ck_assert(image_name_complete(NAMES[_i].full, false, full));
	ck_assert_str_eq(full, NAMES[_i].full);
}
END_TEST

START_TEST(apptainer_has_other_sources)
{
	char full[IMAGE_NAME_SIZE];
	ck_assert(image_name_complete(SOURCES[_i].name, true, full));
	ck_assert_str_eq(full, SOURCES[_i].full);
	ck_assert_int_eq(image_name_complete(SOURCES[_i].name, false, full),
			 strpbrk(SOURCES[_i].name, "/:") == NULL);
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
	char full[IMAGE_NAME_SIZE];
	ck_assert(!image_name_complete(NO_NAMES[_i], false, full));
	ck_assert(!image_name_complete(NO_NAMES[_i], true, full));
}
END_TEST

START_TEST(what_is_no_source_is_refused)
{
	char full[IMAGE_NAME_SIZE];
	ck_assert(!image_name_complete(NO_SOURCES[_i], true, full));
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused_also_if_it_was_cut)
{
	char name[2 * IMAGE_NAME_SIZE];
	char cut[IMAGE_NAME_SIZE + 1];
	char full[IMAGE_NAME_SIZE];
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "r.example/", strlen("r.example/"));
	memcpy(cut, name, sizeof(cut) - 1);
	cut[sizeof(cut) - 1] = '\0';
	ck_assert(!image_name_complete(name, false, full));
	ck_assert(!image_name_complete(cut, false, full));
	/* Room for ":latest". */
	cut[IMAGE_NAME_SIZE - 1] = '\0';
	ck_assert(!image_name_complete(cut, false, full));
	cut[IMAGE_NAME_SIZE - 8] = '\0';
	ck_assert(image_name_complete(cut, false, full));
}
END_TEST

START_TEST(an_entry_allows_what_it_names)
{
	char full[IMAGE_NAME_SIZE];
	ck_assert(image_name_is_entry(ENTRIES[_i].entry));
	ck_assert(image_name_complete(ENTRIES[_i].full, true, full));
	ck_assert_str_eq(full, ENTRIES[_i].full);
	ck_assert_int_eq(image_name_matches(full, ENTRIES[_i].entry), ENTRIES[_i].matches);
}
END_TEST

START_TEST(what_is_no_entry_is_refused)
{
	ck_assert(!image_name_is_entry(NO_ENTRIES[_i]));
}
END_TEST

Suite *image_name_suite(void)
{
	Suite *suite = suite_create("image_name");
	TCase *tcase = tcase_create("image_name");

	tcase_add_loop_test(tcase, a_name_becomes_a_full_name, 0, ROWS(NAMES));
	tcase_add_loop_test(tcase, apptainer_has_other_sources, 0, ROWS(SOURCES));
	tcase_add_loop_test(tcase, what_is_no_name_is_refused, 0, ROWS(NO_NAMES));
	tcase_add_loop_test(tcase, what_is_no_source_is_refused, 0, ROWS(NO_SOURCES));
	tcase_add_test(tcase, a_name_that_is_too_long_is_refused_also_if_it_was_cut);
	tcase_add_loop_test(tcase, an_entry_allows_what_it_names, 0, ROWS(ENTRIES));
	tcase_add_loop_test(tcase, what_is_no_entry_is_refused, 0, ROWS(NO_ENTRIES));
	suite_add_tcase(suite, tcase);
	return suite;
}
