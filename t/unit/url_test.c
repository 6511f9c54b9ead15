/*
 * Servers, compared as text: two spellings of one server are one text, two servers never are.
 */
#include <stdio.h>
#include <string.h>

#include "core/lib/url.h"
#include "t/unit/suites.h"

static const struct {
	const char *url;
	const char *server;
	const char *host;
} SERVERS[] = {
	{"https://gitlab.example.com", "https://gitlab.example.com", "gitlab.example.com"},
	{"https://gitlab.example.com/", "https://gitlab.example.com", "gitlab.example.com"},
	{"https://gitlab.example.com//", "https://gitlab.example.com", "gitlab.example.com"},
	{"https://GitLab.Example.COM", "https://gitlab.example.com", "gitlab.example.com"},
	{"https://h:443", "https://h", "h"},
	{"https://h:0443/", "https://h", "h"},
	{"https://h:8443", "https://h:8443", "h:8443"},
	{"https://h:80", "https://h:80", "h:80"},
	{"https://h/git/lab", "https://h/git/lab", "h"},
	{"https://h/Git/", "https://h/Git", "h"},
	{"https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x", "[2001:db8::1]:8443"},
	{"https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]"},
	{"http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"},
	{"http://127.1.2.3", "http://127.1.2.3", "127.1.2.3"},
	{"http://localhost:80", "http://localhost", "localhost"},
	{"http://localhost:443", "http://localhost:443", "localhost:443"},
	{"http://[::1]:3000", "http://[::1]:3000", "[::1]:3000"},
};

START_TEST(a_server_is_brought_into_one_form)
{
	struct server out;
	struct error err;
	ck_assert_int_eq(url_server(SERVERS[_i].url, &out, &err), 0);
	ck_assert_str_eq(out.url, SERVERS[_i].server);
	ck_assert_str_eq(out.host, SERVERS[_i].host);
	/* What came out is in that form. */
	struct server again;
	ck_assert_int_eq(url_server(out.url, &again, &err), 0);
	ck_assert_str_eq(again.url, out.url);
}
END_TEST

static const char *const REFUSED[] = {
	"",
	"h",
	"ftp://h",
	"HTTPS://h",
	"https:/h",
	"https://",
	"https:///path",
	"https://h:",
	"https://h:0",
	"https://h:65536",
	"https://h:1x",
	"https://h:-1",
	"https://h:443:443",
	"https://user@h",
	"https://user:secret@h",
	"https://h/?query",
	"https://h?query",
	"https://h#fragment",
	"https://h/a b",
	"https://h/a%2e%2e",
	"https://h\\@evil",
	"https://h\n",
	"https://h/\n",
	"https://h h",
	"https://h_h",
	"https://\xc3\xa9",
	"https://[::1",
	"https://[]",
	"https://[::1]x",
	"https://::1",
	"http://gitlab.example.com",
	"http://127.0.0.1.example.com",
	"http://localhost.example.com",
	"http://128.0.0.1",
	"http://[::2]",
	"http://127.0.0.1@evil.example.com",
};

START_TEST(what_is_no_server_is_refused)
{
	struct server out;
	struct error err;
	ck_assert_msg(url_server(REFUSED[_i], &out, &err) != 0, "%s was accepted", REFUSED[_i]);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
}
END_TEST

static const struct {
	const char *url;
	const char *origin; /* NULL: refused */
} ORIGINS[] = {
	{"https://gitlab-ci-token:SECRET@h.example/group/project.git", "https://h.example"},
	{"https://gitlab-ci-token:SE@CRET@H.example:8443/g/p.git", "https://h.example:8443"},
	{"https://h.example/g/p@evil.example/x.git", "https://h.example"},
	{"https://h.example?x@evil.example", "https://h.example"},
	{"https://h.example#x@evil.example", "https://h.example"},
	{"https://h.example/g/p.git?a=b", "https://h.example"},
	{"http://u:p@127.0.0.1:8080/g/p.git", "http://127.0.0.1:8080"},
	{"http://u:p@h.example/g/p.git", NULL},
	{"https://u:p@", NULL},
	{"git@h.example:g/p.git", NULL},
	{"ssh://git@h.example/g/p.git", NULL},
	{"/srv/git/p.git", NULL},
	{"file:///srv/git/p.git", NULL},
};

START_TEST(an_origin_is_without_user_and_path)
{
	struct server out = {.url = ""};
	struct error err;
	int result = url_origin(ORIGINS[_i].url, &out, &err);
	ck_assert_int_eq(result, ORIGINS[_i].origin != NULL ? 0 : -1);
	if (result == 0)
		ck_assert_str_eq(out.url, ORIGINS[_i].origin);
	else
		ck_assert_ptr_null(strstr(err.detail, "SECRET"));
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	char url[4096];
	struct server out;
	struct error err;
	snprintf(url, sizeof(url), "https://%0255d", 0);
	ck_assert_int_eq(url_server(url, &out, &err), 0);
	snprintf(url, sizeof(url), "https://%0256d", 0);
	ck_assert_int_eq(url_server(url, &out, &err), -1);
	snprintf(url, sizeof(url), "https://h/%0199d", 0);
	ck_assert_int_eq(url_server(url, &out, &err), 0);
	snprintf(url, sizeof(url), "https://h/%0200d", 0);
	ck_assert_int_eq(url_server(url, &out, &err), -1);
}
END_TEST

Suite *url_suite(void)
{
	Suite *suite = suite_create("url");
	TCase *tcase = tcase_create("url");

	tcase_add_loop_test(tcase, a_server_is_brought_into_one_form, 0, ROWS(SERVERS));
	tcase_add_loop_test(tcase, what_is_no_server_is_refused, 0, ROWS(REFUSED));
	tcase_add_loop_test(tcase, an_origin_is_without_user_and_path, 0, ROWS(ORIGINS));
	tcase_add_test(tcase, what_is_too_long_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
