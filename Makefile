# jacamar-ci: see README. Everything that is built goes to build/.

PREFIX       ?= /opt/jacamar
MANDIR       ?= $(PREFIX)/share/man
SERVICE_USER ?= gitlab-runner
DESTDIR      ?=
SECONDS      ?= 60

BUILD := build
ifeq ($(SANITIZE),1)
BUILD := build/sanitize
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wundef $(if $(filter 1,$(WERROR)),-Werror)
# Level 3 needs a compiler and a C library that know it; level 2 is everywhere.
FORTIFY  := $(shell echo '\#include <stdio.h>' | $(CC) -x c -O2 -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=3 -Werror -fsyntax-only - 2>/dev/null && echo 3 || echo 2)
HARDENING := $(if $(SANITIZER),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)) \
	-fstack-protector-strong -fPIE
ALL_CFLAGS  = -std=gnu17 -D_GNU_SOURCE -I. $(WARNINGS) $(HARDENING) $(SANITIZER) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SANITIZER) $(LDFLAGS)

LIBRARY_SOURCES := $(sort $(wildcard core/*.c core/executor/*.c config/*.c) \
	$(filter-out applets/main.c,$(wildcard applets/*.c)))
LIBRARY := $(BUILD)/libjacamar.a
LIBS    := -linih -ljansson -lcap-ng -ldl
PROGRAM := $(BUILD)/jacamar-ci
EXTRA_OBJECTS := $(if $(SANITIZER),$(BUILD)/t/sanitize_options.o)
TOOLS   := $(patsubst t/%.c,$(BUILD)/t/%,$(sort $(wildcard t/*.c)))
TOOLS   := $(filter-out $(BUILD)/t/sanitize_options,$(TOOLS))
objects  = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: all tools unit
all: $(PROGRAM) $(BUILD)/bin/jacamar-auth $(BUILD)/bin/jacamar

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(LIBRARY): $(call objects,$(LIBRARY_SOURCES))
	@rm -f $@
	$(AR) rcs $@ $^

$(PROGRAM): $(BUILD)/applets/main.o $(LIBRARY) $(EXTRA_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/bin/%: $(PROGRAM)
	@mkdir -p $(@D)
	ln -sf ../jacamar-ci $@

$(BUILD)/t/runner: $(call objects,$(sort $(wildcard t/play/*.c)))
tools: $(TOOLS)
.SECONDARY:
$(BUILD)/t/%: $(BUILD)/t/%.o $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -ljose -lcrypto

# Capabilities belong to an inode, so the capability flavour's jacamar-auth is a file of its own.
.PHONY: install install-caps
install: all
	install -d -m 0755 $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec \
		$(DESTDIR)$(PREFIX)/share/doc/jacamar-ci $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8
	install -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/libexec/jacamar-ci
	for name in jacamar jacamar-auth; do \
		rm -f $(DESTDIR)$(PREFIX)/bin/$$name && \
		ln -s ../libexec/jacamar-ci $(DESTDIR)$(PREFIX)/bin/$$name || exit 1; done
	install -m 0644 config/examples/* $(DESTDIR)$(PREFIX)/share/doc/jacamar-ci/
	for page in man/*.[58]; do \
		install -m 0644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/ || exit 1; done

install-caps: install
	rm -f $(DESTDIR)$(PREFIX)/bin/jacamar-auth
	install -m 0750 -o root -g $(SERVICE_USER) $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/jacamar-auth
	setcap cap_setgid,cap_setuid=ep $(DESTDIR)$(PREFIX)/bin/jacamar-auth

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
