# startxd: build, try, check, install. `make help` lists what there is.

PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
CARGO_TARGET_DIR ?= target
PKG_CONFIG ?= pkg-config
PROFILE ?= release
SUITES ?= bookworm trixie sid
FUZZ_SECONDS ?= 60
export CARGO CARGO_TARGET_DIR PROFILE SUITES FUZZ_SECONDS

BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
DATADIR = $(PREFIX)/share/startxd
PAMDIR ?= /etc/pam.d
LICENSEDIR = $(PREFIX)/share/licenses/startxd
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
# Debian's zsh looks into /usr/share/zsh/vendor-completions instead; below /usr/local, here.
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
PRESETDIR ?= $(PREFIX)/lib/systemd
# systemd knows where its units live; below another prefix they live under that (systemd looks into /usr/local, too).
ask = $(shell $(PKG_CONFIG) --define-variable=prefix=$(PREFIX) --define-variable=rootprefix=$(PREFIX) --variable=$(1) systemd 2>/dev/null)
USERUNITDIR ?= $(or $(call ask,systemduserunitdir),$(PREFIX)/lib/systemd/user)
SYSTEMUNITDIR ?= $(or $(call ask,systemdsystemunitdir),$(PREFIX)/lib/systemd/system)
# Which of pam/* is installed: by what the target includes in its own, or else this machine.
PAM_DIALECT ?= $(shell scripts/pam-dialect "$(DESTDIR)/etc/pam.d" /etc/pam.d)

# cargo keeps what its profile "dev" makes in a folder of another name.
BINARY = $(CARGO_TARGET_DIR)/$(patsubst dev,debug,$(PROFILE))/startxd
STAGE = $(abspath $(CARGO_TARGET_DIR))/stage
UNITS = $(wildcard units/user/*.socket units/user/*.target)
TEMPLATES = $(wildcard units/user/*.in)
DROP_INS = $(wildcard units/user/*.d/*.conf)
SYSTEM_TEMPLATES = $(wildcard units/system/*.in)
MANUALS = $(wildcard man/*.[157])

INSTALLED = $(BINDIR)/startxd $(LICENSEDIR)/LICENSE \
	$(foreach unit,$(UNITS) $(TEMPLATES:.in=),$(USERUNITDIR)/$(notdir $(unit))) \
	$(patsubst units/user/%,$(USERUNITDIR)/%,$(DROP_INS)) \
	$(BASHDIR)/startxd $(ZSHDIR)/_startxd $(FISHDIR)/startxd.fish \
	$(PRESETDIR)/system-preset/80-startxd.preset $(PRESETDIR)/user-preset/80-startxd.preset \
	$(foreach unit,$(SYSTEM_TEMPLATES:.in=),$(SYSTEMUNITDIR)/$(notdir $(unit))) \
	$(PAMDIR)/startxd $(DATADIR)/sessions/startxd.desktop $(DATADIR)/xinit/startxd-attach.sh \
	$(foreach page,$(MANUALS),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))

.PHONY: all help build try check zoo vm vm-try vm-check bench soak fuzz fuzz-minimise deb install uninstall stage clean fmt lint

all: build

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 16
	@echo 'variables:  PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) PROFILE=$(PROFILE) SUITES="$(SUITES)" FUZZ_SECONDS=$(FUZZ_SECONDS)'

build: ## build the program
	@scripts/need $(CARGO) cc:gcc+libc6-dev
	$(CARGO) build --profile $(PROFILE) --locked

try: ## boot a Debian in namespaces, show a session on it from login to logout, leave a screenshot (root)
	@scripts/need $(CARGO) cc:gcc+libc6-dev
	@tests/try/run

check: ## every test, on every suite of SUITES, and a closing count (root)
	@scripts/check

vm: deb ## boot a virtual machine with the package, of the first of SUITES, and leave you at its console (root)
	@tests/vm/console $(firstword $(SUITES))

vm-try: deb ## boot a virtual machine of each of SUITES to an autologin desktop, and leave a picture (root)
	@set -e; for suite in $(SUITES); do \
		STARTXD_SUITE=$$suite $(CARGO) test --locked --test vm -- --ignored --nocapture look::; done

vm-check: deb ## every case in virtual machines, on every suite of SUITES (root)
	@set -e; for suite in $(SUITES); do \
		STARTXD_SUITE=$$suite $(CARGO) test --locked --test vm -- --test-threads=1 --include-ignored --skip look::; done

zoo: stage ## every window manager and desktop of each of SUITES through a session's life, and docs/zoo.md (root)
	@set -e; for suite in $(SUITES); do \
		STARTXD_DESTDIR="$(STAGE)" STARTXD_SUITE=$$suite $(CARGO) test --locked --test zoo -- --ignored --nocapture; done
	@cat tests/zoo/head.md $(foreach suite,$(SUITES),"$(CARGO_TARGET_DIR)/tmp/zoo/$(suite).md") > docs/zoo.md

bench: stage ## measure a start and an end against xinit, startx and xvfb-run, in guests (root)
	STARTXD_DESTDIR="$(STAGE)" $(CARGO) test --locked --test bench --test headless_bench -- --nocapture --ignored

soak: stage ## a thousand starts and ends and two hundred crashes in one boot, and what grows by them (root)
	STARTXD_DESTDIR="$(STAGE)" $(CARGO) test --locked --test soak -- --nocapture --ignored

fuzz: ## everything that reads what others write, on made-up input, each for FUZZ_SECONDS (60); no root
	@scripts/fuzz

fuzz-minimise: ## take what make fuzz has found into fuzz/corpus, as few files as reach everything
	@scripts/fuzz --minimise

install: $(BINARY) ## install into DESTDIR and PREFIX
	install -D -m 0755 $(BINARY) "$(DESTDIR)$(BINDIR)/startxd"
	install -D -m 0644 -t "$(DESTDIR)$(USERUNITDIR)" $(UNITS)
	set -e; for file in $(DROP_INS); do \
		install -D -m 0644 "$$file" "$(DESTDIR)$(USERUNITDIR)/$${file#units/user/}"; \
	done
	install -d -m 0755 "$(DESTDIR)$(SYSTEMUNITDIR)"
	set -e; for template in $(TEMPLATES) $(SYSTEM_TEMPLATES); do \
		case $$template in units/system/*) dir='$(SYSTEMUNITDIR)' ;; *) dir='$(USERUNITDIR)' ;; esac; \
		unit="$(DESTDIR)$$dir/$$(basename "$$template" .in)"; \
		sed 's|@BINDIR@|$(BINDIR)|g' "$$template" > "$$unit"; \
		chmod 0644 "$$unit"; \
	done
	install -D -m 0644 "pam/$(PAM_DIALECT)" "$(DESTDIR)$(PAMDIR)/startxd"
	install -D -m 0644 -t "$(DESTDIR)$(DATADIR)/sessions" data/startxd.desktop
	install -D -m 0644 -t "$(DESTDIR)$(DATADIR)/xinit" xinit/startxd-attach.sh
	set -e; for page in $(MANUALS); do \
		install -D -m 0644 -t "$(DESTDIR)$(MANDIR)/man$${page##*.}" "$$page"; \
	done
	install -D -m 0644 -t "$(DESTDIR)$(LICENSEDIR)" LICENSE
	install -D -m 0644 presets/system.preset "$(DESTDIR)$(PRESETDIR)/system-preset/80-startxd.preset"
	install -D -m 0644 presets/user.preset "$(DESTDIR)$(PRESETDIR)/user-preset/80-startxd.preset"
	install -d -m 0755 "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)"
	$(BINARY) completions bash > "$(DESTDIR)$(BASHDIR)/startxd"
	$(BINARY) completions zsh > "$(DESTDIR)$(ZSHDIR)/_startxd"
	$(BINARY) completions fish > "$(DESTDIR)$(FISHDIR)/startxd.fish"
	chmod 0644 "$(DESTDIR)$(BASHDIR)/startxd" "$(DESTDIR)$(ZSHDIR)/_startxd" "$(DESTDIR)$(FISHDIR)/startxd.fish"

uninstall: ## remove what install has installed into DESTDIR and PREFIX
	rm -f $(foreach file,$(INSTALLED),"$(DESTDIR)$(file)")
	for dir in $(patsubst units/user/%/,"$(USERUNITDIR)/%",$(dir $(DROP_INS))) "$(LICENSEDIR)" "$(DATADIR)/sessions" "$(DATADIR)/xinit" "$(DATADIR)"; do \
		[ ! -d "$(DESTDIR)$$dir" ] || rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$dir"; \
	done

deb: build ## build the Debian package into target/deb (debhelper is installed if it is missing)
	@scripts/make-deb

# What a guest gets laid over its tree: a fresh build, installed as a distribution would.
stage: build
	@rm -rf "$(STAGE)"
	@$(MAKE) --no-print-directory -s install DESTDIR="$(STAGE)" PREFIX=/usr

clean: ## remove what was built; the guests' trees stay, see tests/README.md
	$(CARGO) clean
	rm -rf fuzz/target

fmt: ## format the sources
	$(CARGO) fmt

lint: ## formatting, clippy, dependencies, scripts, manual pages, spelling: the part of check that takes seconds
	@scripts/check lint

$(BINARY):
	$(CARGO) build --profile $(PROFILE) --locked
