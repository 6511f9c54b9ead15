#include "core/executor/arguments.h"

#include <stdio.h>
#include <string.h>

#include "core/lib/argv.h"
#include "core/lib/text.h"

static const char UNKNOWN[] = "jacamar does not know this option";

/* One argument while it is checked. */
struct check {
	const struct option_rules *rules;
	const struct string_list *flags; /* of the site: options without a value */
	const char *word;
	const char *next;	     /* the word after it; "" after the last one */
	bool takes_next;	     /* which is its value */
	struct arguments *arguments; /* to which it belongs */
};

static bool refuse(const struct check *check, const char *reason)
{
	/* Word processors replace these two characters by others that look alike. */
	const char *hint =
		text_is_printable(check->word)
			? ""
			: "; it has a character that is not printable ASCII: type each - "
			  "and \" again";
	snprintf(check->arguments->fault, sizeof(check->arguments->fault), "%.80s is refused: %s%s",
		 check->word, reason, hint);
	return false;
}

/* The word after an option, if the option has a value, is that; otherwise it is an option. */
static bool refuse_value(const struct check *check, const char *before)
{
	snprintf(check->arguments->fault, sizeof(check->arguments->fault),
		 "%.60s is refused: it could be the value of %.60s; write %.60s=value, or, if that "
		 "has no value, ask the site to add it to batch.flag_options",
		 check->word, before, before);
	return false;
}

/*
 * True if one of the words begins with the first `length` bytes of `name`; with `whole`, if one is
 * equal to them.
 */
static bool has_word(const char *words, const char *name, size_t length, bool whole)
{
	for (const char *word = words; *word != '\0'; word += strspn(word, " ")) {
		size_t size = strcspn(word, " ");
		if ((whole ? size == length : size >= length) && strncmp(word, name, length) == 0)
			return true;
		word += size;
	}
	return false;
}

/* True if the site has said that this option has no value; `name` with its dashes. */
static bool is_flag(const struct check *check, const char *name, size_t length)
{
	for (size_t i = 0; i < check->flags->count; i++)
		if (strncmp(check->flags->items[i], name, length) == 0 &&
		    check->flags->items[i][length] == '\0')
			return true;
	return false;
}

/* jacamar must know where the job is. */
static bool check_cluster(const struct check *check, const char *value)
{
	value += value[0] == '=' ? 1 : 0;
	if (!batch_is_cluster(value))
		return refuse(check, "jacamar needs the name of one cluster");
	snprintf(check->arguments->cluster, BATCH_CLUSTER_SIZE, "%s", value);
	return true;
}

/*
 * Refuses a long option, whose name has `length` bytes, or else a short one, if the table has it
 * with this value; "" if it has none.
 */
static bool check_table(const struct check *check, const char *name, size_t length, char letter,
			const char *value)
{
	for (const struct refused_option *refused = check->rules->refused; refused->reason != NULL;
	     refused++) {
		bool is_meant = length > 0 ? strncmp(refused->name, name, length) == 0
					   : refused->letter == letter;
		if (is_meant && strcasestr(value, refused->part) != NULL)
			return refuse(check, refused->reason);
	}
	return true;
}

static bool check_value(const struct check *check, const char *name, size_t length, char letter,
			const char *attached)
{
	const struct option_rules *rules = check->rules;
	const char *value = check->takes_next ? check->next : attached;
	bool is_cluster =
		rules->cluster != NULL && (length > 0 ? strncmp(rules->cluster, name, length) == 0
						      : letter == rules->cluster_letter);
	return check_table(check, name, length, letter, value) &&
	       (!is_cluster || check_cluster(check, value));
}

/* `--name`, `--name=value` or an abbreviation. */
static bool check_long(struct check *check)
{
	const char *name = check->word + 2;
	size_t length = strcspn(name, "=");
	if (strspn(name, TEXT_WORD "-") != length)
		return refuse(check, UNKNOWN);
	/* Also if the name is abbreviated: the scheduler refuses an ambiguous one. */
	bool is_bare = has_word(check->rules->bare, name, length, false);
	check->takes_next =
		name[length] == '\0' && !is_bare && !is_flag(check, check->word, length + 2);
	return check_value(check, name, length, 0, name + length);
}

/* `-x`, `-xVALUE` or `-xyzVALUE`. */
static bool check_short(struct check *check)
{
	const struct option_rules *rules = check->rules;
	for (const char *letter = check->word + 1; *letter != '\0'; letter++) {
		if (!check_table(check, "", 0, *letter, ""))
			return false;
		if (rules->attached != NULL && strchr(rules->attached, *letter) != NULL)
			break;
		if (strchr(rules->letters, *letter) != NULL) {
			check->takes_next = letter[1] == '\0';
			return check_value(check, "", 0, *letter, letter + 1);
		}
		const char name[] = {'-', *letter, '\0'};
		if (strchr(rules->flags, *letter) == NULL && !is_flag(check, name, 2))
			return refuse(check, UNKNOWN);
	}
	return true;
}

/* `-name`, or `-x1`: no name has a digit in second place. */
static bool check_word(struct check *check)
{
	const char *name = check->word + 1;
	for (const struct refused_option *option = check->rules->refused; option->reason != NULL;
	     option++)
		if (strcmp(option->name, name) == 0)
			return refuse(check, option->reason);
	size_t length = strlen(name);
	check->takes_next = has_word(check->rules->valued_words, name, length, true);
	if (check->takes_next || has_word(check->rules->word_flags, name, length, true) ||
	    is_flag(check, check->word, length + 1))
		return true;
	if (has_word(check->rules->valued_words, name, 1, true) && strspn(name + 1, TEXT_DIGIT) > 0)
		return true;
	return refuse(check, "jacamar does not know this option; write its value as a separate "
			     "argument");
}

static bool check_option(struct check *check)
{
	if (check->rules->word_flags != NULL)
		return check_word(check);
	return check->word[1] == '-' ? check_long(check) : check_short(check);
}

bool arguments_are_allowed(const struct option_rules *rules, const struct string_list *flags,
			   struct arguments *arguments)
{
	struct check check = {.rules = rules, .flags = flags, .word = "", .arguments = arguments};
	const struct string_list *words = &arguments->words;
	for (size_t i = 0; i < words->count; i++) {
		bool is_value = check.takes_next;
		const char *word = words->items[i];
		check.word = word;
		check.next = i + 1 < words->count ? words->items[i + 1] : "";
		check.takes_next = false;
		if (strcmp(word, "--") == 0)
			return refuse(&check, "the scheduler would read no options after it");
		bool is_number = word[0] == '-' && text_is_made_of(word + 1, TEXT_DIGIT, 16);
		if (word[0] == '-' && word[1] != '\0' && !(is_value && is_number)) {
			if (!check_option(&check))
				return false;
			/* If it were a value, the word after it would be run. */
			if (is_value && check.takes_next)
				return refuse_value(&check, words->items[i - 1]);
		} else if (!is_value) {
			return refuse(&check, "it is not an option; the scheduler would run it "
					      "instead of the script");
		}
	}
	if (check.takes_next && !(rules->plugins && strncmp(check.word, "--", 2) == 0))
		return refuse(&check, "its value is missing");
	return true;
}

/* Adds the words of `text`; false with the fault. */
static bool add_words(const char *text, struct arguments *arguments)
{
	const char *reason = argv_split(&arguments->words, text);
	snprintf(arguments->fault, sizeof(arguments->fault), "%s", reason != NULL ? reason : "");
	return reason == NULL;
}

/* True if the scheduler may get all the words; else false, with the fault. */
static bool may_pass(const struct scheduler *scheduler, const struct batch_settings *settings,
		     struct arguments *arguments)
{
	return settings->allow_illegal_args ||
	       arguments_are_allowed(&scheduler->options, &settings->flag_options, arguments);
}

int arguments_read(const struct scheduler *scheduler, const struct channel_header *header,
		   struct arguments *arguments, struct error *err)
{
	const struct batch_settings *settings = &header->state.settings.batch;
	size_t index;
	json_t *text;
	bool good = true;
	memset(arguments, 0, sizeof(*arguments));
	for (size_t i = 0; good && i < settings->default_args.count; i++)
		good = add_words(settings->default_args.items[i], arguments);
	if (!good || !may_pass(scheduler, settings, arguments))
		return error_set_key(err, "batch.default_args", ERROR_SYSTEM,
				     "batch.default_args cannot be used for %s: %s",
				     scheduler->submit[0], arguments->fault);
	size_t of_site = arguments->words.count;
	json_array_foreach (header->arguments, index, text) {
		good = good && add_words(json_string_value(text), arguments);
	}
	if (good)
		(void)may_pass(scheduler, settings, arguments);
	arguments->of_author = arguments->words.count - of_site;
	return 0;
}

int arguments_check(enum executor_kind executor, const struct batch_settings *settings,
		    struct error *err)
{
	const struct scheduler *scheduler = scheduler_of(executor);
	const struct channel_header header = {.state.settings.batch = *settings};
	struct arguments arguments;
	if (scheduler == NULL)
		return 0;
	int result = arguments_read(scheduler, &header, &arguments, err);
	string_list_free(&arguments.words);
	return result;
}
