#include "core/resident.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Pages around one that is used are mapped with it, so that less is not worth the calls. */
#define LEAST_SIZE (64 * 1024)

/*
 * A segment that is writable holds what was relocated, also where that is read-only by now (RELRO).
 * Any other is as its file has it: nothing that we link or load has relocations in its code.
 */
static int trim_object(struct dl_phdr_info *object, size_t size, void *unused)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)size;
	(void)unused;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0 ||
		    segment->p_memsz < LEAST_SIZE)
			continue;
		uintptr_t begin = object->dlpi_addr + segment->p_vaddr;
		uintptr_t end = begin + segment->p_memsz;
		begin -= begin % page;
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void resident_trim(void)
{
	dl_iterate_phdr(trim_object, NULL);
}
