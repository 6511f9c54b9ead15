/*
 * Keys, key sets and tokens for the tests, good ones and forged ones.
 *
 * The parts of a token (RFC 7515, compact form) are assembled here byte by byte, not by a JWS
 * library: a test must be able to sign what a library would refuse, such as a header with a
 * duplicate member.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/openssl.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#define EXIT_USAGE 64
#define INPUT_MAX  (64U * 1024 * 1024)

enum family { FAMILY_NONE, FAMILY_HMAC, FAMILY_RSA, FAMILY_PSS, FAMILY_EC };

/* RFC 7518, section 3.1; `half` is the size in bytes of each of the two numbers of an EC signature.
 */
static const struct algorithm {
	const char *name;
	enum family family;
	const char *digest;
	int half;
} ALGORITHMS[] = {
	{"none", FAMILY_NONE, NULL, 0},	     {"HS256", FAMILY_HMAC, "SHA256", 0},
	{"HS384", FAMILY_HMAC, "SHA384", 0}, {"HS512", FAMILY_HMAC, "SHA512", 0},
	{"RS256", FAMILY_RSA, "SHA256", 0},  {"RS384", FAMILY_RSA, "SHA384", 0},
	{"RS512", FAMILY_RSA, "SHA512", 0},  {"PS256", FAMILY_PSS, "SHA256", 0},
	{"PS384", FAMILY_PSS, "SHA384", 0},  {"PS512", FAMILY_PSS, "SHA512", 0},
	{"ES256", FAMILY_EC, "SHA256", 32},  {"ES384", FAMILY_EC, "SHA384", 48},
	{"ES512", FAMILY_EC, "SHA512", 66},
};

struct bytes {
	unsigned char *data;
	size_t length;
};

static const char USAGE[] =
	"usage: sign key --alg ALG [--kid KID] [--bits N]         > private.jwk\n"
	"       sign jwks KEY.jwk...                              > keys.json\n"
	"       sign token [OPTION]... [KEY.jwk] < CLAIMS         > token\n"
	"       sign token [OPTION]... KEY.jwk CHANGE...          > token\n"
	"         --alg ALG          sign with ALG, and name it in the header (default: the "
	"key's)\n"
	"         --header JSON      members to add to the header, or to replace in it (null "
	"removes)\n"
	"         --raw-header TEXT  the header is exactly TEXT\n"
	"         --secret FILE      the secret of HS256..HS512 is FILE's bytes\n"
	"       sign claims [CHANGE]...                           > CLAIMS\n"
	"ALG: none, HS256.., RS256.., PS256.., ES256..; the claims are signed as the bytes they "
	"are;\n"
	"CHANGE: NAME=TEXT, NAME:=JSON, NAME@=SECONDS, which is a time from now, or -NAME, which "
	"removes a claim.\n";

__attribute__((format(printf, 2, 3))) static _Noreturn void die(int code, const char *format, ...)
{
	va_list arguments;

	fputs("sign: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(code);
}

static _Noreturn void usage(void)
{
	fputs(USAGE, stderr);
	exit(EXIT_USAGE);
}

static const struct algorithm *algorithm_named(const char *name)
{
	for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); i++)
		if (strcmp(ALGORITHMS[i].name, name) == 0)
			return &ALGORITHMS[i];
	die(EXIT_USAGE, "unknown algorithm: %s", name);
}

static struct bytes read_all(FILE *file, const char *name)
{
	struct bytes all = {NULL, 0};
	size_t size = 0;

	do {
		if (size - all.length < 4096) {
			size = size * 2 + 8192;
			if (size > INPUT_MAX)
				die(EXIT_FAILURE, "%s: too large", name);
			all.data = realloc(all.data, size);
			if (all.data == NULL)
				die(EXIT_FAILURE, "out of memory");
		}
		all.length += fread(all.data + all.length, 1, size - all.length, file);
	} while (!feof(file) && !ferror(file));
	if (ferror(file))
		die(EXIT_FAILURE, "%s: cannot read", name);
	return all;
}

static struct bytes read_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	struct bytes all;

	if (file == NULL)
		die(EXIT_FAILURE, "%s: %s", path, strerror(errno));
	all = read_all(file, path);
	fclose(file);
	return all;
}

static json_t *load_json(const char *text, const char *what)
{
	json_error_t error;
	json_t *value = json_loads(text, JSON_DECODE_ANY, &error);

	if (value == NULL)
		die(EXIT_USAGE, "%s: %s", what, error.text);
	return value;
}

static json_t *load_key(const char *path)
{
	json_error_t error;
	json_t *key = json_load_file(path, 0, &error);

	if (key == NULL)
		die(EXIT_FAILURE, "%s:%d: %s", path, error.line, error.text);
	return key;
}

static void print_json(json_t *value, size_t flags)
{
	if (json_dumpf(value, stdout, flags) != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
		die(EXIT_FAILURE, "cannot write");
}

/* sign key */

static int key_command(int argc, char **argv)
{
	static const struct option OPTIONS[] = {{"alg", required_argument, NULL, 'a'},
						{"kid", required_argument, NULL, 'k'},
						{"bits", required_argument, NULL, 'b'},
						{NULL, 0, NULL, 0}};
	const char *alg = NULL, *kid = NULL, *bits = NULL;
	json_t *key = json_object();
	int option;

	while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (option == 'a')
			alg = optarg;
		else if (option == 'k')
			kid = optarg;
		else if (option == 'b')
			bits = optarg;
		else
			usage();
	}
	if (alg == NULL || optind != argc)
		usage();
	/* Given an algorithm, José chooses the length of an RSA key itself. */
	if (bits != NULL) {
		json_object_set_new(key, "kty", json_string("RSA"));
		json_object_set_new(key, "bits", json_integer(strtol(bits, NULL, 10)));
	} else {
		json_object_set_new(key, "alg", json_string(algorithm_named(alg)->name));
	}
	if (!jose_jwk_gen(NULL, key))
		die(EXIT_FAILURE, "cannot make a key for %s", alg);
	json_object_set_new(key, "alg", json_string(alg));
	json_object_del(key, "key_ops");
	if (kid != NULL)
		json_object_set_new(key, "kid", json_string(kid));
	print_json(key, JSON_INDENT(2));
	json_decref(key);
	return EXIT_SUCCESS;
}

/* sign jwks */

static int jwks_command(int argc, char **argv)
{
	json_t *keys = json_array();
	json_t *set;

	for (int i = 1; i < argc; i++) {
		json_t *key = load_key(argv[i]);

		if (!jose_jwk_pub(NULL, key))
			die(EXIT_FAILURE, "%s: not a key", argv[i]);
		json_object_set_new(key, "use", json_string("sig"));
		json_array_append_new(keys, key);
	}
	set = json_pack("{s:o}", "keys", keys);
	print_json(set, JSON_INDENT(2));
	json_decref(set);
	return EXIT_SUCCESS;
}

/* sign claims */

static json_t *random_uuid(void)
{
	unsigned char b[16];

	if (RAND_bytes(b, sizeof(b)) != 1)
		die(EXIT_FAILURE, "no randomness");
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	return json_sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
			    b[11], b[12], b[13], b[14], b[15]);
}

/* The claims of GitLab's id tokens. Ids are strings, except the runner's. */
static json_t *default_claims(json_int_t now)
{
	static const char *const TEXTS[][2] = {
		{"namespace_id", "72"},
		{"namespace_path", "group"},
		{"project_id", "20"},
		{"project_path", "group/project"},
		{"user_id", "1"},
		{"user_login", "usr"},
		{"user_email", "usr@example.com"},
		{"user_access_level", "developer"},
		{"pipeline_id", "574"},
		{"pipeline_source", "push"},
		{"job_id", "981625"},
		{"ref", "main"},
		{"ref_type", "branch"},
		{"ref_path", "refs/heads/main"},
		{"ref_protected", "true"},
		{"runner_environment", "self-hosted"},
		{"sha", "714a629c0b401fdce83e847fc9589983fc6f46bc"},
		{"project_visibility", "private"},
		{"iss", "https://gitlab.example.com"},
		{"sub", "project_path:group/project:ref_type:branch:ref:main"},
		{"aud", "https://gitlab.example.com"},
	};
	json_t *claims = json_object();

	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		json_object_set_new(claims, TEXTS[i][0], json_string(TEXTS[i][1]));
	json_object_set_new(claims, "runner_id", json_integer(1));
	json_object_set_new(claims, "user_identities", json_array());
	json_object_set_new(claims, "jti", random_uuid());
	json_object_set_new(claims, "iat", json_integer(now));
	json_object_set_new(claims, "nbf", json_integer(now));
	json_object_set_new(claims, "exp", json_integer(now + 3600));
	return claims;
}

static void change_claim(json_t *claims, const char *change, json_int_t now)
{
	const char *equals = strchr(change, '=');
	size_t length;
	json_t *claim;
	char *name, *end;

	if (equals == NULL && change[0] == '-') {
		json_object_del(claims, change + 1);
		return;
	}
	if (equals == NULL || equals == change)
		die(EXIT_USAGE, "not a claim: %s", change);
	length = (size_t)(equals - change);
	if (equals[-1] == ':') {
		claim = load_json(equals + 1, change);
		length--;
	} else if (equals[-1] == '@') {
		claim = json_integer(now + strtoll(equals + 1, &end, 10));
		if (end == equals + 1 || *end != '\0')
			die(EXIT_USAGE, "not a number of seconds: %s", change);
		length--;
	} else {
		claim = json_string(equals + 1);
	}
	name = strndup(change, length);
	if (name == NULL || json_object_set_new(claims, name, claim) != 0)
		die(EXIT_USAGE, "not UTF-8: %s", change);
	free(name);
}

/* The default claims with these changes. */
static json_t *make_claims(int count, char **changes)
{
	json_int_t now = (json_int_t)time(NULL);
	json_t *claims = default_claims(now);

	for (int i = 0; i < count; i++)
		change_claim(claims, changes[i], now);
	return claims;
}

static int claims_command(int argc, char **argv)
{
	json_t *claims = make_claims(argc - 1, argv + 1);

	print_json(claims, JSON_INDENT(2));
	json_decref(claims);
	return EXIT_SUCCESS;
}

/* sign token */

struct token_request {
	const struct algorithm *algorithm;
	const char *raw_header;
	const char *secret_path;
	json_t *header_changes;
	json_t *key;
};

static json_t *header_of(const struct token_request *request)
{
	json_t *header = json_object();
	const char *name;
	json_t *value;

	json_object_set_new(header, "typ", json_string("JWT"));
	json_object_set_new(header, "alg", json_string(request->algorithm->name));
	value = json_object_get(request->key, "kid");
	if (value != NULL)
		json_object_set(header, "kid", value);
	json_object_foreach (request->header_changes, name, value) {
		if (json_is_null(value))
			json_object_del(header, name);
		else
			json_object_set(header, name, value);
	}
	return header;
}

static char *base64url(const void *data, size_t length)
{
	size_t size = jose_b64_enc_buf(NULL, length, NULL, 0);
	char *text = size == SIZE_MAX ? NULL : malloc(size + 1);

	if (text == NULL || jose_b64_enc_buf(data, length, text, size) != size)
		die(EXIT_FAILURE, "cannot encode");
	text[size] = '\0';
	return text;
}

/* OpenSSL makes an EC signature in ASN.1; JWS needs the two numbers in a row (RFC 7518, 3.4). */
static void flatten_ec_signature(struct bytes *signature, int half)
{
	const unsigned char *der = signature->data;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)signature->length);
	unsigned char *flat = malloc((size_t)half * 2);

	if (pair == NULL || flat == NULL ||
	    BN_bn2binpad(ECDSA_SIG_get0_r(pair), flat, half) != half ||
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), flat + half, half) != half)
		die(EXIT_FAILURE, "the key does not fit the algorithm");
	ECDSA_SIG_free(pair);
	free(signature->data);
	signature->data = flat;
	signature->length = (size_t)half * 2;
}

static EVP_PKEY *signing_key(const struct token_request *request)
{
	EVP_PKEY *key = NULL;

	if (request->secret_path != NULL) {
		struct bytes secret = read_file(request->secret_path);

		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, secret.data, secret.length);
		free(secret.data);
	} else if (request->key != NULL) {
		key = jose_openssl_jwk_to_EVP_PKEY(NULL, request->key);
	}
	if (key == NULL)
		die(EXIT_FAILURE, "%s needs %s", request->algorithm->name,
		    request->algorithm->family == FAMILY_HMAC ? "--secret FILE" : "a private key");
	return key;
}

static struct bytes signature_of(const struct token_request *request, const char *input)
{
	const struct algorithm *algorithm = request->algorithm;
	struct bytes signature = {NULL, 0};
	EVP_MD_CTX *context;
	EVP_PKEY_CTX *options;
	EVP_PKEY *key;

	if (algorithm->family == FAMILY_NONE)
		return signature;
	key = signing_key(request);
	context = EVP_MD_CTX_new();
	if (EVP_DigestSignInit(context, &options, EVP_get_digestbyname(algorithm->digest), NULL,
			       key) != 1)
		die(EXIT_FAILURE, "the key does not fit the algorithm");
	if (algorithm->family == FAMILY_PSS &&
	    (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1))
		die(EXIT_FAILURE, "the key does not fit the algorithm");
	if (EVP_DigestSign(context, NULL, &signature.length, (const unsigned char *)input,
			   strlen(input)) != 1 ||
	    (signature.data = malloc(signature.length)) == NULL ||
	    EVP_DigestSign(context, signature.data, &signature.length, (const unsigned char *)input,
			   strlen(input)) != 1)
		die(EXIT_FAILURE, "cannot sign");
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	if (algorithm->family == FAMILY_EC)
		flatten_ec_signature(&signature, algorithm->half);
	return signature;
}

/* The bytes that are signed: the changed default claims, or those of standard input. */
static struct bytes claims_of(int count, char **changes)
{
	if (count == 0)
		return read_all(stdin, "standard input");
	json_t *claims = make_claims(count, changes);
	char *text = json_dumps(claims, JSON_COMPACT);
	if (text == NULL)
		die(EXIT_FAILURE, "out of memory");
	json_decref(claims);
	return (struct bytes){(unsigned char *)text, strlen(text)};
}

static void print_token(const struct token_request *request, struct bytes claims)
{
	json_t *header = request->raw_header == NULL ? header_of(request) : NULL;
	char *header_text =
		header == NULL ? strdup(request->raw_header) : json_dumps(header, JSON_COMPACT);
	char *header_part = base64url(header_text, strlen(header_text));
	char *claims_part = base64url(claims.data, claims.length);
	char *signature_part, *input;
	struct bytes signature;

	if (asprintf(&input, "%s.%s", header_part, claims_part) < 0)
		die(EXIT_FAILURE, "out of memory");
	signature = signature_of(request, input);
	signature_part = base64url(signature.data, signature.length);
	if (printf("%s.%s\n", input, signature_part) < 0 || fflush(stdout) != 0)
		die(EXIT_FAILURE, "cannot write");
	free(signature_part);
	free(signature.data);
	free(input);
	free(claims_part);
	free(header_part);
	free(header_text);
	json_decref(header);
}

static int token_command(int argc, char **argv)
{
	static const struct option OPTIONS[] = {{"alg", required_argument, NULL, 'a'},
						{"header", required_argument, NULL, 'h'},
						{"raw-header", required_argument, NULL, 'r'},
						{"secret", required_argument, NULL, 's'},
						{NULL, 0, NULL, 0}};
	struct token_request request = {NULL, NULL, NULL, NULL, NULL};
	const char *alg = NULL;
	int option;

	/* The options end at the key: -NAME after it is a change. */
	while ((option = getopt_long(argc, argv, "+", OPTIONS, NULL)) != -1) {
		if (option == 'a')
			alg = optarg;
		else if (option == 'h')
			request.header_changes = load_json(optarg, "--header");
		else if (option == 'r')
			request.raw_header = optarg;
		else if (option == 's')
			request.secret_path = optarg;
		else
			usage();
	}
	if (optind < argc)
		request.key = load_key(argv[optind++]);
	if (alg == NULL)
		alg = json_string_value(json_object_get(request.key, "alg"));
	if (alg == NULL)
		die(EXIT_USAGE, "a key that names its algorithm is needed, or --alg");
	request.algorithm = algorithm_named(alg);
	struct bytes claims = claims_of(argc - optind, argv + optind);
	print_token(&request, claims);
	free(claims.data);
	json_decref(request.header_changes);
	json_decref(request.key);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} COMMANDS[] = {{"key", key_command},
			{"jwks", jwks_command},
			{"token", token_command},
			{"claims", claims_command}};

	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(USAGE, stdout);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; argc > 1 && i < sizeof(COMMANDS) / sizeof(COMMANDS[0]); i++)
		if (strcmp(COMMANDS[i].name, argv[1]) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1);
	usage();
}
