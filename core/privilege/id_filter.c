#include "core/privilege/id_filter.h"

#include <endian.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>

#define ALLOW  SECCOMP_RET_ALLOW
#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

/* The lower half of an argument: an id has 32 bits, and the kernel ignores the upper half. */
#define ARGUMENT(index)                               \
	(offsetof(struct seccomp_data, args[index]) + \
	 (__BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0))

#define LOAD(offset)	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define IF(value, then, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, other)
#define RETURN(verdict)	       BPF_STMT(BPF_RET | BPF_K, verdict)

/*
 * The calls that change ids. 32-bit architectures may have two variants of a call: the plain one,
 * with 16-bit ids, and the wide one, with 32-bit ids. If there is a wide one, the plain one is
 * blocked: no current program needs it.
 */
static const struct id_call {
	const char *name;
	const char *wide;
	bool of_groups;
	uint8_t ids; /* how many arguments are ids; 0: the ids are in a list, which no filter can
			read */
} ID_CALLS[] = {
	{"setuid", "setuid32", false, 1},	{"setgid", "setgid32", true, 1},
	{"setreuid", "setreuid32", false, 2},	{"setregid", "setregid32", true, 2},
	{"setresuid", "setresuid32", false, 3}, {"setresgid", "setresgid32", true, 3},
	{"setfsuid", "setfsuid32", false, 1},	{"setfsgid", "setfsgid32", true, 1},
	{"setgroups", "setgroups32", true, 0},
};

static void add(struct id_filter *filter, struct sock_filter instruction)
{
	if (filter->count < ID_FILTER_MOST)
		filter->code[filter->count++] = instruction;
}

/*
 * Adds the instructions for one call. The accumulator has the number of the system call: for any
 * other number they jump to the instruction after them.
 */
static void add_call(struct id_filter *filter, int number, uint8_t ids, uint32_t own)
{
	/* A negative number: the architecture lacks the call. */
	if (number < 0)
		return;
	if (ids == 0) {
		add(filter, (struct sock_filter)IF(number, 0, 1));
		add(filter, (struct sock_filter)RETURN(REFUSE));
		return;
	}
	add(filter, (struct sock_filter)IF(number, 0, (uint8_t)(3 * ids + 2)));
	for (uint8_t index = 0; index < ids; index++) {
		uint8_t to_refusal = (uint8_t)(3 * (ids - 1 - index) + 1);
		add(filter, (struct sock_filter)LOAD(ARGUMENT(index)));
		add(filter, (struct sock_filter)IF(own, 1, 0));
		add(filter, (struct sock_filter)IF(-1, 0, to_refusal));
	}
	add(filter, (struct sock_filter)RETURN(ALLOW));
	add(filter, (struct sock_filter)RETURN(REFUSE));
}

static void add_architecture(struct id_filter *filter, const struct seccomp_library *library,
			     uint32_t architecture, const struct account *account)
{
	add(filter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
	size_t test = filter->count;
	add(filter, (struct sock_filter)IF(architecture, 0, 0));
	add(filter, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
	for (size_t i = 0; i < sizeof(ID_CALLS) / sizeof(ID_CALLS[0]); i++) {
		const struct id_call *call = &ID_CALLS[i];
		uint32_t own = call->of_groups ? account->gid : account->uid;
		int plain = library->resolve_name_arch(architecture, call->name);
		int wide = library->resolve_name_arch(architecture, call->wide);
		add_call(filter, wide, call->ids, own);
		add_call(filter, plain, wide >= 0 ? 0 : call->ids, own);
	}
	/* If the architecture differs, jump to the instructions of the next one. */
	filter->code[test].jf = (uint8_t)(filter->count - test - 1);
}

void id_filter_build(const struct seccomp_library *library, const uint32_t architectures[2],
		     const struct account *account, struct id_filter *filter)
{
	filter->count = 0;
	for (int i = 0; i < 2; i++)
		if (architectures[i] != 0)
			add_architecture(filter, library, architectures[i], account);
	add(filter, (struct sock_filter)RETURN(ALLOW));
}
