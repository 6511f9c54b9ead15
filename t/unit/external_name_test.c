/*
 * The account that an identity at another provider names, or none: in doubt none.
 */
#include <string.h>

#include "core/identity/external_name.h"
#include "t/unit/suites.h"

#define SIXTEEN "abcdefghijklmnop"
#define LONG_64 SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static const struct {
	const char *extern_uid;
	const char *name; /* "": it names no account */
} IDENTITIES[] = {
	/* A name by itself. */
	{"kim", "kim"},
	{"kim@ad.example", "kim@ad.example"},
	{"AD\\kim", "AD\\kim"},
	{LONG_64, LONG_64},
	{LONG_64 "q", ""},
	{"", ""},
	{"4711", ""},
	{"-kim", ""},
	{"kim miller", ""},
	{" kim", ""},
	{"kim/root", ""},
	{"kim,ou=people", ""},
	{"kim\nroot", ""},

	/* A distinguished name. */
	{"uid=kim,ou=people,dc=example,dc=com", "kim"},
	{"UID=kim,OU=People,DC=example", "kim"},
	{"uid=kim", "kim"},
	{"cn=kim,cn=users,cn=accounts,dc=example", "kim"},
	{"uid=k.i-m_7,dc=x", "k.i-m_7"},
	{"uid=kim@ad.example,dc=x", "kim@ad.example"},
	{"uid=kim,ou=R\xc3\xa4ume,dc=x", "kim"},
	{"uid=kim,ou=a b,dc=x", "kim"},
	{"uid=kim,ou=,dc=x", "kim"},
	{"uid=kim,ou=a+l=b,dc=x", "kim"},
	{"uid=kim,ou=a\\,b\\=c\\\\d\\\"\\+\\<\\>\\;\\#\\ ,dc=x", "kim"},
	{"uid=kim,0.9.2342.19200300.100.1.25=example", "kim"},
	{"uid=kim,1.3.6.1.4.1.1466.0=#04024869,dc=x", "kim"},
	{"uid=kim,a-type-that-is-longer-than-any-of-ours=x", "kim"},

	/* Escapes in the name itself. */
	{"uid=AD\\5Ckim,dc=x", "AD\\kim"},
	{"uid=AD\\\\kim,dc=x", "AD\\kim"},
	{"uid=k\\69m,dc=x", "kim"},
	{"uid=k\\2em,dc=x", "k.m"},
	{"uid=kim\\2cou=x,dc=x", ""},
	{"uid=kim\\,ou\\=x,dc=x", ""},
	{"uid=kim\\00,dc=x", ""},
	{"uid=kim\\0a,dc=x", ""},
	{"uid=..\\2froot,dc=x", ""},
	{"uid=kim\\20,dc=x", ""},
	{"uid=kim\\,dc=x", ""},
	{"uid=kim\\", ""},
	{"uid=kim\\6", ""},
	{"uid=kim\\zz,dc=x", ""},
	{"uid=kim\\k,dc=x", ""},

	/* Another attribute, several of them, or an entry below a person's. */
	{"ou=kim,dc=x", ""},
	{"mail=kim,dc=x", ""},
	{"userid=kim,dc=x", ""},
	{"0.9.2342.19200300.100.1.1=kim,dc=x", ""},
	{"uid=kim+cn=kim,dc=x", ""},
	{"cn=kim+uid=root,dc=x", ""},
	{"uid=kim+,dc=x", ""},
	{"uid=root,uid=kim,dc=x", ""},
	{"cn=root,uid=kim,dc=x", ""},
	{"cn=root,ou=x+UID=kim,dc=x", ""},

	/* Names that break the grammar anywhere, even at the end. */
	{"=kim", ""},
	{"uid=", ""},
	{"uid=,dc=x", ""},
	{"uid =kim,dc=x", ""},
	{" uid=kim,dc=x", ""},
	{"uid= kim,dc=x", ""},
	{"uid=kim ,dc=x", ""},
	{"uid=kim, dc=x", ""},
	{"uid=kim,dc=x ", ""},
	{"uid=kim,dc= x", ""},
	{"uid=kim,", ""},
	{"uid=kim,,dc=x", ""},
	{"uid=kim,dc", ""},
	{"uid=kim,dc=x,", ""},
	{"uid=kim;dc=x", ""},
	{"uid=kim,dc=x;dc=y", ""},
	{"uid=\"kim\",dc=x", ""},
	{"uid=kim,dc=\"x\"", ""},
	{"uid=<kim>,dc=x", ""},
	{"uid=#6b696d,dc=x", ""},
	{"uid=kim,dc=#0", ""},
	{"uid=kim,dc=#", ""},
	{"uid=kim,dc=#zz", ""},
	{"uid=kim,dc=#04zou=x", ""},
	{"uid=kim,dc=#04 ,ou=x", ""},
	{"uid=kim,1.2.=x", ""},
	{"uid=kim,.1=x", ""},
	{"uid=kim,1..2=x", ""},
	{"uid=kim,dc=x\\", ""},
	{"uid=kim,d_c=x", ""},
	{"uid==kim,dc=x", ""},
	{"uid=kim\nuid=root,dc=x", ""},
	{"uid=" LONG_64 ",dc=x", LONG_64},
	{"uid=" LONG_64 "q,dc=x", ""},
	{"uid=" LONG_64 LONG_64 ",dc=x", ""},
	{"uid=kim,dc=" LONG_64 LONG_64, "kim"},
};

START_TEST(an_identity_names_an_account_or_none)
{
	char name[ACCOUNT_NAME_SIZE] = "old";
	const char *expected = IDENTITIES[_i].name;
	bool named = external_name_to_account(IDENTITIES[_i].extern_uid, name);
	ck_assert_msg(strcmp(name, expected) == 0, "%s: '%s', not '%s'", IDENTITIES[_i].extern_uid,
		      name, expected);
	ck_assert_int_eq(named, expected[0] != '\0');
}
END_TEST

Suite *external_name_suite(void)
{
	Suite *suite = suite_create("external_name");
	TCase *tcase = tcase_create("external_name");

	tcase_add_loop_test(tcase, an_identity_names_an_account_or_none, 0, ROWS(IDENTITIES));
	suite_add_tcase(suite, tcase);
	return suite;
}
