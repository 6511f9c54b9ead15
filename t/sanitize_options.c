/*
 * The options of a SANITIZE=1 build. The leak check stops its own process with ptrace, which a
 * process that is not dumpable forbids; the unit tests are linked without this. The program itself
 * sets the limit of core dumps.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:handle_segv=0:disable_coredump=0";
}
