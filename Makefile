# jacamar-ci: see README. Everything that is built goes to build/.

# All rules are here. Without this, make looks for a rule for each header, which takes most of its time.
MAKEFLAGS += --no-builtin-rules

PREFIX       ?= /opt/jacamar
MANDIR       ?= $(PREFIX)/share/man
COMPLETIONS  ?= $(PREFIX)/share/bash-completion/completions
SERVICE_USER ?= gitlab-runner
DESTDIR      ?=
SECONDS      ?= 60

# The version is defined only in core/lib/version.h.
VERSION := $(shell sed -n 's/.*JACAMAR_VERSION "\(.*\)"$$/\1/p' core/lib/version.h)

BUILD := build
ifeq ($(SANITIZE),1)
BUILD := build/sanitize
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif

# A script that is built into the program, as a C string.
GENERATED := $(BUILD)/generated
BASH_TEXT := core/workspace/command_line.bash core/executor/batch_wrapper.bash \
	core/executor/allocation_keeper.bash
BASH_TEXT_H := $(patsubst %.bash,$(GENERATED)/%.text.h,$(notdir $(BASH_TEXT)))
INCLUDES  := -I. -I$(GENERATED)

CFLAGS   ?= -Os -g
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wundef $(if $(filter 1,$(WERROR)),-Werror)
# Level 3 needs a compiler and a C library that have it; level 2 works everywhere. (How make passes on
# a backslash before a number sign depends on its release.)
HASH     := \#
FORTIFY  := $(shell echo '$(HASH)include <stdio.h>' | $(CC) -x c -O2 -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=3 -Werror -fsyntax-only - 2>/dev/null && echo 3 || echo 2)
HARDENING := $(if $(SANITIZER),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(FORTIFY)) \
	-fstack-protector-strong -fPIE
# The level in a distribution's flags is removed: compilers warn about two levels.
FORTIFIED := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=% -Wp,-U_FORTIFY_SOURCE -Wp,-D_FORTIFY_SOURCE=%
# Makes the same bytes in any directory.
MAPPED   := -ffile-prefix-map=$(CURDIR)=.
# C code without exceptions needs unwind tables only for backtraces: a debugger has .debug_frame of -g.
TABLES   := $(if $(SANITIZER),,-fno-asynchronous-unwind-tables -fno-unwind-tables)
ALL_CFLAGS  = -std=gnu17 -D_GNU_SOURCE $(INCLUDES) $(WARNINGS) $(HARDENING) $(TABLES) $(SANITIZER) \
	$(filter-out $(FORTIFIED),$(CFLAGS)) $(MAPPED) -MMD -MP
# A program that contains the libraries of the sanitizers starts in two thirds of the time, and the tests start
# it thousands of times. gcc needs an option for that, and RHEL-like systems the package libasan-static. At a
# fixed address, a sixth of that is saved again: the loader does not change 53,000 addresses, in 1.4 MB of data.
ifdef SANITIZER
STATIC_SANITIZER = $(shell echo 'int main(void) { return 0; }' | $(CC) -x c -Werror $(SANITIZER) -static-libasan \
	-static-libubsan -o /dev/null - 2>/dev/null && echo -static-libasan -static-libubsan)
endif
ALL_LDFLAGS = $(if $(SANITIZER),-no-pie,-pie) -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed \
	$(SANITIZER) $(STATIC_SANITIZER) $(LDFLAGS)

# The order in the program. The kernel maps 64 KiB around each page of code that a process uses, so what a
# job does not use while its script runs comes last: what only the stage config needs, then doctor.
LAST := core/identity core/policy config core/doctor
LIBRARY_SOURCES := $(sort $(filter-out applets/main.c $(LAST:=/%),$(wildcard applets/*.c core/*/*.c))) \
	$(foreach folder,$(LAST),$(sort $(wildcard $(folder)/*.c)))
LIBRARY := $(BUILD)/libjacamar.a
LIBS    := -linih -ljansson -lcap-ng -ldl
PROGRAM := $(BUILD)/libexec/jacamar-ci
EXTRA_OBJECTS := $(if $(SANITIZER),$(BUILD)/t/sanitize_options.o)
TOOLS   := $(patsubst t/%.c,$(BUILD)/t/%,$(sort $(wildcard t/*.c)))
TOOLS   := $(filter-out $(BUILD)/t/sanitize_options,$(TOOLS)) $(BUILD)/t/site.jwk
objects  = $(patsubst %.c,$(BUILD)/%.o,$(1))

.PHONY: help all tools deps demo check chaos faults bench fuzz lint clean
help:
	@echo 'make all           build the program (SANITIZE=1: with ASan and UBSan, CC=clang, WERROR=1)'
	@echo 'make tools         build the tools of the tests: runner, sign, fault, ...'
	@echo 'make deps          install what all targets need; does nothing unless it runs as root'
	@echo 'make clean         remove build/'
	@echo
	@echo 'make demo          install what is needed, build, and show one whole CI job'
	@echo 'make install       install to DESTDIR and PREFIX (/opt/jacamar), for a runner that is root or uses sudo'
	@echo 'make install-caps  the same with file capabilities, for a runner that is SERVICE_USER (gitlab-runner)'
	@echo 'make uninstall     remove installed files; configuration, logs and accounts stay'
	@echo
	@echo 'make quick         build, and run the most important tests, in less than a minute'
	@echo 'make unit          build and run the unit tests; SUITE=name: only that suite'
	@echo 'make t/e2e/tNNNN-name'
	@echo '                   build, and run that end-to-end test; OPTIONS="-v -i", FLAVOUR=caps, root, sudo, none'
	@echo 'make check         install what is needed, build, and run all tests'
	@echo 'make chaos         send random signals, chosen by SEED=, to the processes of JOBS=100 jobs'
	@echo 'make faults        make one system call fail at a time: all, or FAULTS=N that SEED= chooses'
	@echo '                   (both as FLAVOUR=caps, root or sudo)'
	@echo 'make bench         measure against setpriv, su, podman and others; ROWS="sub-stage config": only these'
	@echo '                   (ROWS=help lists them)'
	@echo 'make fuzz          run the fuzz targets, SECONDS=60 each'
	@echo 'make lint          check sources, scripts and man pages'
	@echo
	@echo 'make dist          pack the sources of this version into build/jacamar-ci-VERSION.tar.gz'
	@echo 'make rpm           build the packages jacamar-ci and jacamar-ci-caps in build/rpm'

.DEFAULT_GOAL := all
all: $(PROGRAM) $(BUILD)/bin/jacamar-auth $(BUILD)/bin/jacamar

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Without comments, empty lines and indentation.
vpath %.bash $(sort $(dir $(BASH_TEXT)))
$(GENERATED)/%.text.h: %.bash Makefile
	@mkdir -p $(@D)
	sed -e 's/^[[:space:]]*//' -e '/^#/d' -e '/^$$/d' -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< >$@

$(call objects,core/workspace/script.c core/executor/batch_files.c core/executor/allocation.c): $(BASH_TEXT_H)
build/fuzz/core/workspace/script.o build/fuzz/core/executor/batch_files.o build/fuzz/core/executor/allocation.o: $(BASH_TEXT_H)

$(LIBRARY): $(call objects,$(LIBRARY_SOURCES))
	@rm -f $@
	$(AR) rcsD $@ $^

# The layout of an installation, so that the names find each other here, too.
$(PROGRAM): $(BUILD)/applets/main.o $(LIBRARY) $(EXTRA_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--whole-archive $(LIBRARY) \
		-Wl,--no-whole-archive $(LIBS)

$(BUILD)/bin/%: $(PROGRAM)
	@mkdir -p $(@D)
	ln -sf ../libexec/jacamar-ci $@

$(BUILD)/t/runner: $(call objects,$(sort $(wildcard t/play/*.c)))
$(BUILD)/t/fault: LIBS += -lseccomp
ifdef SANITIZER
# The tools of the tests are built without sanitizers, with which they take five times as long.
tools:
	@$(MAKE) --no-print-directory SANITIZE= tools
	@mkdir -p $(BUILD)/t
	@cp $(patsubst $(BUILD)/%,build/%,$(TOOLS)) $(BUILD)/t/
else
tools: $(TOOLS)
endif
.SECONDARY:
$(BUILD)/t/%: $(BUILD)/t/%.o $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -ljose -lcrypto

# The key with which the end-to-end tests sign tokens: to make one takes longer than most checks.
$(BUILD)/t/site.jwk: $(BUILD)/t/sign
	$< key --alg RS256 --kid site >$@.new
	mv $@.new $@

# --- tests: unit ---

# Without t/sanitize_options.o, so that leaks are found here.
UNIT       := $(BUILD)/t/unit/unit
CHECK_LIBS  = $(shell pkg-config --libs check 2>/dev/null || echo -lcheck) -pthread

$(UNIT): $(call objects,$(sort $(wildcard t/unit/*.c))) $(LIBRARY)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(CHECK_LIBS) -ljose -lcrypto

.PHONY: unit
unit: $(UNIT)
	$(if $(SUITE),CK_RUN_SUITE='$(SUITE)') $(UNIT)

# --- tests: end to end, one ---

# With and without the ending.
E2E_TESTS := $(sort $(wildcard t/e2e/t[0-9]*.sh))
E2E_NAMES := $(E2E_TESTS) $(E2E_TESTS:.sh=)
.PHONY: $(E2E_NAMES)
$(E2E_NAMES): all tools
	@BUILD=$(CURDIR)/$(BUILD) SANITIZE=$(SANITIZE) $(if $(FLAVOUR),FLAVOUR='$(FLAVOUR)') \
		sh $(basename $@).sh $(OPTIONS)

# --- tests: fuzz ---

# All sources are built again, for clang and the fuzzer. Findings and new inputs stay in build/.
FUZZ         := build/fuzz
FUZZ_TARGETS := $(patsubst t/fuzz/%_fuzz.c,%,$(sort $(wildcard t/fuzz/*_fuzz.c)))
FUZZ_CFLAGS  := -std=gnu17 -D_GNU_SOURCE $(INCLUDES) -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all
FUZZ_SOURCES := $(sort $(wildcard core/*/*.c config/*.c))

$(FUZZ)/%.o: %.c
	@mkdir -p $(@D)
	clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(FUZZ)/bin/%: $(FUZZ)/t/fuzz/%_fuzz.o $(patsubst %.c,$(FUZZ)/%.o,$(FUZZ_SOURCES))
	@mkdir -p $(@D)
	clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS) -ljose -lcrypto

fuzz: deps
	@$(MAKE) --no-print-directory $(addprefix $(FUZZ)/bin/,$(FUZZ_TARGETS))
	@sh t/fuzz/run.sh $(FUZZ) $(SECONDS) $(FUZZ_TARGETS)

# --- what the targets need, by the package names of Debian and of RHEL (with EPEL) ---

APT_PACKAGES := gcc make pkg-config libc6-dev libinih-dev libjansson-dev libcap-ng-dev libjose-dev \
	libcurl4-openssl-dev libseccomp-dev libpam0g-dev libssl-dev check libcap2-bin util-linux procps passwd jq \
	openssl nginx-light python3 sudo hyperfine clang libclang-rt-14-dev clang-format clang-tidy \
	cppcheck valgrind mandoc shellcheck git systemd rpm dnf createrepo-c strace slurm-wlm munge \
	logrotate btrfs-progs podman runc uidmap
DNF_PACKAGES := gcc make pkgconf-pkg-config diffutils glibc-devel inih-devel jansson-devel \
	libcap-ng-devel libjose-devel libcurl-devel libseccomp-devel pam-devel openssl-devel check-devel \
	libcap util-linux procps-ng shadow-utils jq openssl nginx python3 sudo hyperfine clang compiler-rt \
	clang-tools-extra cppcheck valgrind mandoc ShellCheck git-core systemd rpm-build \
	createrepo_c strace slurm slurm-slurmctld slurm-slurmd munge logrotate podman

deps:
	@if [ "$$(id -u)" -ne 0 ]; then \
		echo 'deps: not root, so nothing is installed'; \
	elif command -v apt-get >/dev/null; then \
		dpkg -s $(APT_PACKAGES) >/dev/null 2>&1 || { apt-get -q update && \
			DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
				$(APT_PACKAGES); }; \
	elif command -v dnf >/dev/null; then \
		rpm -q $(DNF_PACKAGES) >/dev/null 2>&1 || dnf -q install -y $(DNF_PACKAGES); \
	else \
		echo 'deps: neither apt-get nor dnf is here; the packages are named in the Makefile'; \
	fi

# The build is another make: the packages that deps installs do not exist yet when this one starts.
demo: deps
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(CURDIR)/$(BUILD) sh t/e2e/demo.sh

check: deps
	@$(MAKE) --no-print-directory all tools $(BUILD)/t/unit/unit
	@BUILD=$(CURDIR)/$(BUILD) SANITIZE=$(SANITIZE) sh t/check.sh

.PHONY: quick
quick:
	@$(MAKE) --no-print-directory all tools $(UNIT)
	@BUILD=$(CURDIR)/$(BUILD) SANITIZE=$(SANITIZE) FLAVOUR=caps \
		sh t/check.sh unit-quick t/e2e/t1000-job.sh t/e2e/t3000-exit-codes.sh

# The last lines are figures: how many jobs were run, and N passed, N failed.
chaos faults: deps
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(CURDIR)/$(BUILD) SEED='$(SEED)' JOBS='$(JOBS)' FAULTS='$(FAULTS)' ONLY='$(ONLY)' \
		$(if $(FLAVOUR),FLAVOUR='$(FLAVOUR)') sh t/chaos/run.sh $@

bench: deps
	@$(MAKE) --no-print-directory all tools
	@BUILD=$(CURDIR)/$(BUILD) ROWS='$(ROWS)' sh t/bench/bench.sh

SOURCES := $(sort $(wildcard applets/*.[ch] config/*.[ch] core/*/*.[ch] \
	t/*.[ch] t/play/*.[ch] t/unit/*.[ch] t/fuzz/*.c t/e2e/*.c))
# Findings of the checkers that are ignored, with the reason:
#  memleak, resourceLeak  cppcheck does not know __attribute__((cleanup)), of which core/lib/io.h is made
#  readdirCalled          readdir is safe on a stream of one's own, and readdir_r is deprecated
#  getpwentCalled, getgrentCalled   the program has one thread
CPPCHECK_LEFT := --suppress=memleak --suppress=resourceLeak --suppress=readdirCalled \
	--suppress=getpwentCalled --suppress=getgrentCalled
#  SC1091 SC2034 SC2154 SC2120 SC2010 SC2088  the tests share one library, and quote their commands
#  SC3043                                     `local`, which every sh of Debian and RHEL has
SHELLCHECK_LEFT := SC1091,SC3043,SC2034,SC2154,SC2120,SC2010,SC2088
lint: deps $(BASH_TEXT_H)
	clang-format --dry-run -Werror $(SOURCES)
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
		$(CPPCHECK_LEFT) --library=posix -D__GNUC__ -D_GNU_SOURCE $(INCLUDES) applets config core
	printf '%s\n' $(filter applets/%.c config/%.c core/%.c,$(SOURCES)) | \
		xargs -n 8 -P "$$(nproc)" sh -c 'exec clang-tidy --quiet "$$@" -- -std=gnu17 \
			-D_GNU_SOURCE $(INCLUDES) $(WARNINGS)' -
	sh t/includes.sh
	shellcheck -S warning -s dash -e $(SHELLCHECK_LEFT) t/*.sh t/e2e/*.sh t/bench/*.sh t/chaos/*.sh t/fuzz/*.sh .ci/run
	shellcheck -s bash $(BASH_TEXT) config/completion/*.bash
	mandoc -Tlint man/*.[578]

clean:
	rm -rf build

BINDIR := $(DESTDIR)$(PREFIX)/bin
.PHONY: install install-common install-caps
install: install-common
	ln -sfn ../libexec/jacamar-ci $(BINDIR)/jacamar-auth

# Programs are replaced atomically: a job that starts meanwhile finds the old one or the new one.
install-common: all
	install -d -m 0755 $(BINDIR) $(DESTDIR)$(PREFIX)/libexec \
		$(DESTDIR)$(PREFIX)/share/doc/jacamar-ci $(DESTDIR)$(COMPLETIONS) \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8
	install -m 0755 $(PROGRAM) $(DESTDIR)$(PREFIX)/libexec/jacamar-ci.new
	mv -fT $(DESTDIR)$(PREFIX)/libexec/jacamar-ci.new $(DESTDIR)$(PREFIX)/libexec/jacamar-ci
	ln -sfn ../libexec/jacamar-ci $(BINDIR)/jacamar
	install -m 0644 config/examples/* $(DESTDIR)$(PREFIX)/share/doc/jacamar-ci/
	for page in man/*.[578]; do \
		sed 's/^\.Os$$/.Os jacamar-ci $(VERSION)/' $$page | \
			install -m 0644 /dev/stdin $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || \
			exit 1; done
	install -m 0644 config/completion/jacamar.bash $(DESTDIR)$(COMPLETIONS)/jacamar
	for name in jacamar-auth jacamar-ci; do \
		ln -sf jacamar $(DESTDIR)$(COMPLETIONS)/$$name || exit 1; done

# Capabilities belong to an inode, so this flavour's jacamar-auth is a separate file. It gets the
# capabilities after its mode keeps others out, and its name when it is complete; until then the old
# file stays. If the group does not exist, nothing is changed.
install-caps: all
	@getent group '$(SERVICE_USER)' >/dev/null || { \
		echo 'install-caps: there is no group $(SERVICE_USER), which alone may execute jacamar-auth;' \
			'make it, or name that of the service account by SERVICE_USER=' >&2; exit 1; }
	@$(MAKE) --no-print-directory install-common
	rm -f $(BINDIR)/jacamar-auth.new
	install -m 0750 -o root -g '$(SERVICE_USER)' $(PROGRAM) $(BINDIR)/jacamar-auth.new
	setcap cap_setgid,cap_setuid=ep $(BINDIR)/jacamar-auth.new || \
		{ rm -f $(BINDIR)/jacamar-auth.new; exit 1; }
	mv -fT $(BINDIR)/jacamar-auth.new $(BINDIR)/jacamar-auth

# The files of install and install-caps, also those of one that was interrupted.
INSTALLED := $(addprefix $(PREFIX)/,bin/jacamar bin/jacamar-auth bin/jacamar-auth.new \
		libexec/jacamar-ci libexec/jacamar-ci.new \
		$(patsubst config/examples/%,share/doc/jacamar-ci/%,$(wildcard config/examples/*))) \
	$(foreach page,$(wildcard man/*.[578]),\
		$(MANDIR)/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page))) \
	$(addprefix $(COMPLETIONS)/,jacamar jacamar-auth jacamar-ci)
# Their directories, the deepest ones first. Those of /usr and /usr/local are the system's.
INSTALLED_DIRECTORIES := $(PREFIX)/share/doc/jacamar-ci $(if $(filter /usr /usr/local,$(PREFIX)),,\
	$(addprefix $(PREFIX)/,bin libexec share/doc share/man/man5 share/man/man7 share/man/man8 \
		share/man share/bash-completion/completions share/bash-completion share) $(PREFIX))

# Files that the site has added stay, and so do their directories.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	@for directory in $(addprefix $(DESTDIR),$(INSTALLED_DIRECTORIES)); do \
		[ ! -d "$$directory" ] || rmdir --ignore-fail-on-non-empty "$$directory" || exit 1; done

# --- release ---

# Every build makes the same bytes: the files that git knows, in the order of their names, at
# the time of the last commit. Sources that came as such a file make that file again.
RELEASE := jacamar-ci-$(VERSION)
TARBALL := $(BUILD)/$(RELEASE).tar.gz
# This works in another account's tree, too: running its make means trusting it already.
GIT     := git -c safe.directory='*'
.PHONY: dist
dist:
	@rm -rf $(BUILD)/dist
	@mkdir -p $(BUILD)/dist/$(RELEASE)
	@if [ -e .git ]; then $(GIT) ls-files && $(GIT) log -1 --format=%ct >$(BUILD)/dist/time; \
		else find . -path ./build -prune -o -type f -printf '%P\n' && \
			stat -c %Y core/lib/version.h >$(BUILD)/dist/time; fi >$(BUILD)/dist/files
	@cp --parents $$(cat $(BUILD)/dist/files) $(BUILD)/dist/$(RELEASE)
	@sed -i 's/^\(Version: *\).*/\1$(VERSION)/' $(BUILD)/dist/$(RELEASE)/rpm.spec
	@tar -C $(BUILD)/dist --sort=name --format=ustar --mtime=@$$(cat $(BUILD)/dist/time) \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf $(BUILD)/dist/tar $(RELEASE)
	@gzip -9n <$(BUILD)/dist/tar >$(TARBALL)
	@rm -rf $(BUILD)/dist
	@echo $(TARBALL)

# Where the system's packages are no rpms, rpmbuild cannot know which are there. The two packages have
# the same program, which is tested once.
RPMBUILD ?= rpmbuild
.PHONY: rpm
rpm: deps
	@$(MAKE) --no-print-directory dist
	@rm -rf $(BUILD)/rpm
	@for flavour in '-ta --without caps' '-tb --with caps --nocheck'; do \
		env -u SANITIZE MAKEFLAGS= $(RPMBUILD) $$flavour $$(rpm -q --quiet rpm || echo --nodeps) \
			--define '_topdir $(abspath $(BUILD))/rpm' $(TARBALL) || exit 1; done
	@find $(BUILD)/rpm -name '*.rpm'

# The dependencies of this build, not those of other builds below build/.
-include $(shell find $(addprefix $(BUILD)/,applets config core t) \
	$(if $(findstring fuzz,$(MAKECMDGOALS)),$(FUZZ)) -name '*.d' 2>/dev/null)
