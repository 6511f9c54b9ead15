/*
 * The channel: the header's line, the script's exact bytes after it, and the message that ends the
 * job.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "t/unit/header.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

static struct test_header made;

static void setup(void)
{
	test_header_init(&made, "/home/usr");
}

static void reap_senders(void)
{
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void teardown(void)
{
	test_header_free(&made);
	reap_senders();
}

/* Every possible byte, with newlines and NULs in all places. */
static char *make_script(size_t size)
{
	char *script = malloc(size + 1);
	for (size_t i = 0; i < size; i++)
		script[i] = (char)(i * 7 + i / 256);
	return script;
}

/* A child writes all of it in parts of `part` bytes, and closes it. Returns the reading end. */
static int send_in_parts(const char *bytes, size_t size, size_t part)
{
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		process_forget_check();
		close(ends[0]);
		for (size_t at = 0; at < size; at += part)
			if (io_write_all(ends[1], bytes + at, size - at < part ? size - at : part))
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

START_TEST(a_header_comes_back_as_it_was)
{
	struct channel_header back;
	struct error err = {.detail = ""};
	made.header.script_size = 123456789;
	made.header.profile = PROFILE_ETC_ONLY;
	made.header.data_dir = "$SCRATCH/ci";
	made.header.allocation = "nodes";
	made.header.release = true;
	made.header.cgroup = "/runner.service/jacamar/1000/981625";
	made.header.kill_list = json_pack("[i,i]", 2, INT_MAX);
	char *line = channel_encode_header(&made.header);
	ck_assert_ptr_nonnull(line);
	size_t size = strlen(line);
	/* One line, whatever is in it. */
	ck_assert_ptr_eq(strchr(line, '\n'), line + size - 1);
	ck_assert_msg(channel_decode_header(line, size, &back, &err) == 0, "%s", err.detail);
	free(line);
	ck_assert_uint_eq(back.script_size, 123456789);
	ck_assert_int_eq(back.profile, PROFILE_ETC_ONLY);
	ck_assert_str_eq(back.data_dir, "$SCRATCH/ci");
	ck_assert_str_eq(back.allocation, "nodes");
	ck_assert(back.release);
	ck_assert_str_eq(back.cgroup, made.header.cgroup);
	ck_assert(json_equal(back.kill_list, made.header.kill_list));
	json_decref(made.header.kill_list);
	ck_assert(json_equal(back.environment, made.header.environment));
	ck_assert_uint_eq(back.state.job_id, 981625);
	ck_assert_str_eq(back.state.scripts_dir, made.scripts_dir);
	channel_free_header(&back);
}
END_TEST

/* One member replaces a good one; NULL: it is removed. */
static const struct {
	const char *name;
	const char *value;
} DAMAGES[] = {
	{"script_size", NULL},
	{"script_size", "-1"},
	{"script_size", "\"5\""},
	{"script_size", "1.5"},
	{"profile", NULL},
	{"profile", "-1"},
	{"profile", "3"},
	{"profile", "\"login\""},
	{"environment", NULL},
	{"environment", "{}"},
	{"environment", "\"A=1\""},
	{"environment", "[7]"},
	{"environment", "[\"A\"]"},
	{"environment", "[\"A=1\",null]"},
	{"data_dir", "7"},
	{"kill", "[]"},
	{"kill", "7"},
	{"kill", "[7,-1]"},
	{"kill", "[0]"},
	{"kill", "[7,1]"},
	{"kill", "[2147483648]"},
	{"kill", "[7,\"8\"]"},
	{"allocation", "7"},
	{"release", "\"true\""},
	{"state", NULL},
	{"state", "null"},
	{"state", "{}"},
	{"state", "[]"},
};

START_TEST(a_damaged_header_is_refused)
{
	struct channel_header back;
	struct error err;
	made.header.data_dir = "/x";
	made.header.allocation = "x";
	made.header.kill_list = json_pack("[i]", 7);
	char *line = channel_encode_header(&made.header);
	json_t *root = json_loads(line, 0, NULL);
	json_decref(made.header.kill_list);
	free(line);
	ck_assert_ptr_nonnull(json_object_get(root, DAMAGES[_i].name));
	if (DAMAGES[_i].value == NULL)
		json_object_del(root, DAMAGES[_i].name);
	else
		json_object_set_new(root, DAMAGES[_i].name,
				    json_loads(DAMAGES[_i].value, JSON_DECODE_ANY, NULL));
	line = json_dumps(root, JSON_COMPACT);
	ck_assert_msg(channel_decode_header(line, strlen(line), &back, &err) != 0, "accepted: %s",
		      line);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	channel_free_header(&back);
	free(line);
	json_decref(root);
}
END_TEST

static const char *const NOT_HEADERS[] = {"", "{", "[]", "null", "cancel", "#!/bin/bash", "\xff"};

START_TEST(what_is_no_header_is_refused)
{
	struct channel_header back;
	struct error err;
	const char *text = NOT_HEADERS[_i];
	ck_assert_int_eq(channel_decode_header(text, strlen(text), &back, &err), -1);
	channel_free_header(&back);
}
END_TEST

/* By the byte, around the reader's own size, and in one piece. */
static const size_t PARTS[] = {1, 2, 3, 1000, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 1 << 20};
static const size_t SCRIPTS[] = {0, 1, 16 * 1024, 100000};

START_TEST(a_script_arrives_byte_for_byte)
{
	struct channel_header back;
	struct error err = {.detail = ""};
	size_t part = PARTS[_i % ROWS(PARTS)];
	size_t size = SCRIPTS[_i / ROWS(PARTS)];
	char *script = make_script(size);
	made.header.script_size = size;
	char *line = channel_encode_header(&made.header);
	size_t header_size = strlen(line);
	line = realloc(line, header_size + size + 1);
	memcpy(line + header_size, script, size);

	struct channel_reader reader = {.fd = send_in_parts(line, header_size + size, part)};
	ck_assert_msg(channel_read_header(&reader, &back, &err) == 0, "%s", err.detail);
	ck_assert_uint_eq(back.script_size, size);
	struct path place = scratch_make();
	struct path file = path_of("%s/script", place.text);
	int out = open(file.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_eq(channel_copy_script(&reader, size, out, file.text, &err), 0);
	close(out);
	ck_assert(!channel_was_ended(&reader));

	size_t copied = 0;
	char *copy = scratch_read(file.text, &copied);
	ck_assert_uint_eq(copied, size);
	ck_assert_int_eq(memcmp(copy, script, size), 0);
	free(copy);
	close(reader.fd);
	channel_free_header(&back);
	free(line);
	free(script);
}
END_TEST

/* Reads a header and a script of `size` bytes from a text. */
static int receive(const char *text, size_t text_size, uint64_t size, struct channel_reader *reader,
		   struct error *err)
{
	struct path place = scratch_make();
	struct path file = path_of("%s/script", place.text);
	int out = open(file.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	*reader = (struct channel_reader){.fd = send_in_parts(text, text_size, 7)};
	int result = channel_copy_script(reader, size, out, file.text, err);
	close(out);
	return result;
}

START_TEST(an_end_before_the_header_is_a_cancel_by_jacamar_auth_alone)
{
	struct channel_header header;
	struct error err;
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(write(ends[1], "{\"script", 8), 8);
	close(ends[1]);
	struct channel_reader reader = {.fd = ends[0]};
	ck_assert_int_eq(channel_read_header(&reader, &header, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_CANCELLED);
	close(ends[0]);

	ck_assert_int_eq(pipe(ends), 0);
	close(ends[1]);
	reader = (struct channel_reader){.fd = ends[0]};
	ck_assert_int_eq(channel_read_header(&reader, &header, &err), -1);
	ck_assert_int_eq(err.kind, ERROR_SYSTEM);
	close(ends[0]);
}
END_TEST

START_TEST(an_early_end_is_an_error)
{
	struct channel_reader reader;
	struct error err;
	ck_assert_int_eq(receive("", 0, 1, &reader, &err), -1);
	ck_assert_str_eq(err.detail, "the runner ended this stage (cancelled, or out of time)");
	close(reader.fd);
	ck_assert_int_eq(receive("0123456789", 10, 11, &reader, &err), -1);
	close(reader.fd);
	ck_assert_int_eq(receive("0123456789", 10, UINT64_MAX, &reader, &err), -1);
	close(reader.fd);
	ck_assert_int_eq(receive("0123456789", 10, 10, &reader, &err), 0);
	ck_assert(!channel_was_ended(&reader));
	close(reader.fd);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_an_error)
{
	struct error err;
	struct channel_reader reader = {.fd = send_in_parts("0123456789", 10, 10)};
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(full, 0);
	ck_assert_int_eq(channel_copy_script(&reader, 10, full, "/path/of/it", &err), -1);
	ck_assert_str_eq(err.detail, "cannot write /path/of/it: No space left on device");
	close(full);
	close(reader.fd);
}
END_TEST

START_TEST(a_word_behind_the_script_is_seen)
{
	struct channel_reader reader = {.fd = -1};
	struct error err;
	int ends[2];
	struct path place = scratch_make();
	struct path file = path_of("%s/script", place.text);
	int out = open(file.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(io_write_all(ends[1], "scriptcancel\n", 13), 0);
	reader.fd = ends[0];
	ck_assert_int_eq(channel_copy_script(&reader, 6, out, file.text, &err), 0);
	ck_assert(channel_was_ended(&reader));
	close(ends[0]);
	close(ends[1]);
	close(out);
}
END_TEST

START_TEST(without_a_whole_line_there_is_no_header)
{
	static const char *const texts[] = {"", "{}", "{\"script_size\":1"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct channel_header back;
		struct error err;
		struct channel_reader reader = {.fd = send_in_parts(texts[i], strlen(texts[i]), 1)};
		ck_assert_int_eq(channel_read_header(&reader, &back, &err), -1);
		channel_free_header(&back);
		close(reader.fd);
	}
}
END_TEST

START_TEST(a_line_without_end_is_not_read_for_ever)
{
	struct channel_header back;
	struct error err;
	char *line = malloc(CHANNEL_HEADER_MOST_SIZE + 2);
	memset(line, ' ', CHANNEL_HEADER_MOST_SIZE + 2);
	/* Of the largest size it is read, and no header; a byte more is not even read. */
	line[CHANNEL_HEADER_MOST_SIZE] = '\n';
	struct channel_reader reader = {
		.fd = send_in_parts(line, CHANNEL_HEADER_MOST_SIZE + 1, 4096)};
	ck_assert_int_eq(channel_read_header(&reader, &back, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "is damaged"));
	channel_free_header(&back);
	close(reader.fd);

	line[CHANNEL_HEADER_MOST_SIZE] = ' ';
	line[CHANNEL_HEADER_MOST_SIZE + 1] = '\n';
	reader = (struct channel_reader){
		.fd = send_in_parts(line, CHANNEL_HEADER_MOST_SIZE + 2, 4096)};
	ck_assert_int_eq(channel_read_header(&reader, &back, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "there is no job on standard input"));
	channel_free_header(&back);
	close(reader.fd);
	free(line);
}
END_TEST

START_TEST(two_numbers_come_back)
{
	int ends[2];
	struct error err;
	struct channel_answer answer;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	/* No answer has come yet, and the function does not wait. */
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, 0), 0);
	ck_assert_int_eq(channel_send_number(ends[1], 12345, &err), 0);
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, 0), sizeof(int));
	ck_assert_int_eq(answer.pid, 12345);
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, sizeof(int)), sizeof(int));
	ck_assert_int_eq(channel_send_number(ends[1], 255, &err), 0);
	/* Further numbers are ignored. */
	ck_assert_int_eq(channel_send_number(ends[1], 7, &err), 0);
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, sizeof(int)), sizeof(answer));
	ck_assert_int_eq(answer.pid, 12345);
	ck_assert_int_eq(answer.exit_code, 255);
	close(ends[1]);
	/* A process that has ended sends nothing more. */
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, 0), sizeof(int));
	ck_assert_uint_eq(channel_receive_answer(ends[0], &answer, 0), 0);
	close(ends[0]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(channel_send_number(ends[1], 1, &err), -1);
	close(ends[1]);
}
END_TEST

START_TEST(over_a_pipe_nothing_can_come_back)
{
	int ends[2];
	struct error err;
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(channel_send_number(ends[0], 1, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.detail, "log_input"));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

Suite *channel_suite(void)
{
	Suite *suite = suite_create("channel");
	TCase *tcase = tcase_create("channel");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_header_comes_back_as_it_was);
	tcase_add_loop_test(tcase, a_damaged_header_is_refused, 0, ROWS(DAMAGES));
	tcase_add_loop_test(tcase, what_is_no_header_is_refused, 0, ROWS(NOT_HEADERS));
	tcase_add_loop_test(tcase, a_script_arrives_byte_for_byte, 0, ROWS(PARTS) * ROWS(SCRIPTS));
	tcase_add_test(tcase, an_end_before_the_header_is_a_cancel_by_jacamar_auth_alone);
	tcase_add_test(tcase, an_early_end_is_an_error);
	tcase_add_test(tcase, a_file_that_cannot_be_written_is_an_error);
	tcase_add_test(tcase, a_word_behind_the_script_is_seen);
	tcase_add_test(tcase, without_a_whole_line_there_is_no_header);
	tcase_add_test(tcase, a_line_without_end_is_not_read_for_ever);
	tcase_add_test(tcase, two_numbers_come_back);
	tcase_add_test(tcase, over_a_pipe_nothing_can_come_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
