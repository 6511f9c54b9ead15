#include "core/identity/machine_account.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/lib/text.h"

static bool begins_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* "project_1_bot", "group_1_bot_x"; in mail addresses of old servers "project1_bot". */
static bool is_bot(const char *name, const char *owner)
{
	if (!begins_with(name, owner))
		return false;
	name += strlen(owner);
	name += *name == '_' ? 1 : 0;
	size_t digits = strspn(name, TEXT_DIGIT);
	return digits > 0 && begins_with(name + digits, "_bot");
}

/* The kind of account that a login or a mail address belongs to; NULL: unknown. */
static const char *kind_of(const char *name)
{
	if (begins_with(name, "service_account_"))
		return "a service account";
	if (is_bot(name, "project") || is_bot(name, "group"))
		return "a bot of a project or group";
	return NULL;
}

/*
 * True for noreply.HOST and its subdomains, HOST being the host of the server's URL. That may be an
 * IPv6 address in brackets.
 */
static bool is_noreply_host(const char *domain, const char *issuer)
{
	const char *scheme = strstr(issuer, "://");
	const char *host = scheme != NULL ? scheme + 3 : issuer;
	const char *address_end = host[0] == '[' ? strchr(host, ']') : NULL;
	size_t host_length =
		address_end != NULL ? (size_t)(address_end + 1 - host) : strcspn(host, ":/");
	char noreply[URL_SIZE + 16];
	int size = snprintf(noreply, sizeof(noreply), "noreply.%.*s", (int)host_length, host);
	size_t wanted = (size_t)size;
	size_t length = strlen(domain);
	if (length > 0 && domain[length - 1] == '.')
		length--;
	if (length < wanted || strncasecmp(domain + length - wanted, noreply, wanted) != 0)
		return false;
	return length == wanted || domain[length - wanted - 1] == '.';
}

bool machine_account_is(const struct claims *claims, char why[MACHINE_ACCOUNT_TEXT_SIZE])
{
	const char *mail = claims->user_email;
	const char *at = strrchr(mail, '@');
	const char *kind = kind_of(claims->user_login);
	if (kind != NULL) {
		snprintf(why, MACHINE_ACCOUNT_TEXT_SIZE, "is %s", kind);
		return true;
	}
	if (at == NULL || at == mail || at[1] == '\0') {
		snprintf(why, MACHINE_ACCOUNT_TEXT_SIZE,
			 "may be a machine account: the id token's user_email is missing or not an "
			 "address");
		return true;
	}
	kind = kind_of(mail);
	if (kind == NULL && is_noreply_host(at + 1, claims->issuer))
		kind = "a machine account of the server";
	if (kind == NULL)
		return false;
	snprintf(why, MACHINE_ACCOUNT_TEXT_SIZE, "is %s, by its mail address %s", kind, mail);
	return true;
}
