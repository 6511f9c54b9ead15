/*
 * Processes of a test: functions that run in a child, because they change their process; and a look
 * at processes that does not use the library's own code.
 */
#ifndef JACAMAR_UNIT_PROCESS_H
#define JACAMAR_UNIT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs `body` in a child, which ends when it returns; 0, or what the child ended with, as
 * waitpid(2) has it. In there Check's own assertions would end the wrong process.
 */
int process_run(void (*body)(const void *argument), const void *argument);
#define child_require(condition) \
	((condition) ? (void)0 : process_child_failed(__FILE__, __LINE__, #condition))
_Noreturn void process_child_failed(const char *file, int line, const char *condition);

/* In a child: Check's handlers would end the whole test at a signal to one process of it. */
void process_forget_check(void);

/* Starts a child that only waits for a signal. */
pid_t process_start_sleeper(void);

/* Its state as ps(1) names it; '\0' where there is no such process. */
char process_state(pid_t pid);
bool process_is_alive(pid_t pid);

/* Waits until it is gone, or a zombie. It must be about to be. */
void process_wait_until_dead(pid_t pid);
void process_wait_until_state(pid_t pid, char state);

/* A line "NAME:\tVALUE" of /proc/self/status, as a number in base 16 or 10. */
unsigned long long process_status(const char *name, int base);

/* True for root with the capabilities to change its identity; else says that `test` is skipped. */
bool process_is_root(const char *test);
void process_skip(const char *test, const char *reason);

/* For main(): kills all children, and those that become children thereby. */
void process_end_children(void);

/*
 * From now on this system call reports success and does nothing, as under a filter of a container,
 * where the lower half of that argument is not 0. It takes root.
 */
void process_fake_call(unsigned int number, int argument);

#endif
