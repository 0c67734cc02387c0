# sevdbg: `make help` lists the targets.
SWIFT ?= swift
# Swift's libraries in the program: it starts in half the time, and where there is no Swift. That no
# variable is changed by two at once is checked in the tests: at each step of a guest it costs too much.
BUILD = $(SWIFT) build -c release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
BIN = .build/release
# Tests see internal names, so their build is another; optimised, for they run guests.
TEST = $(SWIFT) test -c release --disable-xctest -Xswiftc -enable-testing --scratch-path .build/tests
SOURCES = Package.swift Plugins Sources Tests
UNICORN = .build/unicorn

# Installs the missing ones of the Debian packages $(1), or says how.
install = @sh Tests/install.sh $(1)

# Runs what is tested on the real kvm_amd with the program $(1).
KVM_AMD = .build/kvm-amd
KVM_AMD_SCRIPTS = $(addprefix Tests/KVMAMD/,observe.sh exits.sh machine.sh attach.sh)
kvm-amd = sh Tests/KVMAMD/run.sh $(KVM_AMD) Tests/KVMAMD/all.sh \
    Tests/KVMAMD/with-vmm $(KVM_AMD_SCRIPTS) $(1) .build/strict-vmm

.PHONY: help run test test-kvm-amd build setup lint format fuzz attach monkey screens bench clean
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: build ## build and debug the guest `hello` (in batch where there is no terminal)
	@$(BIN)/sevdbg launch hello

test: setup lint .build/strict-vmm ## the format lint and all tests
	$(call install,tmux nasm gcc)
	$(TEST)
	@if timeout 300 sh Tests/KVMAMD/prepare.sh $(KVM_AMD) 2> .build/kvm-amd.log; then \
	    $(call kvm-amd,.build/tests/release/sevdbg); \
	else echo "skipped: all tests on kvm_amd, because: $$(tail -n 1 .build/kvm-amd.log)"; fi

build: setup ## build the program
	@$(BUILD) --product sevdbg >&2

setup: ## install the libraries that the build needs
	$(call install,libzydis-dev libncurses-dev libbpf-dev)

test-kvm-amd: build .build/strict-vmm ## what needs the real kvm_amd, on an emulated EPYC
	@sh Tests/KVMAMD/prepare.sh $(KVM_AMD)
	$(call kvm-amd,$(BIN)/sevdbg)

.build/strict-vmm: Tests/StrictVMM/strict-vmm.c
	$(call install,gcc)
	mkdir -p $(@D)
	cc -O2 -Wall -Wextra -pthread -o $@ $<

lint: ## check the format
	@$(SWIFT) format lint --strict --recursive $(SOURCES)

format: ## mend the format
	@$(SWIFT) format --in-place --recursive $(SOURCES)

fuzz: setup ## 20 million random instructions against this CPU, and hostile requests
	SEVDBG_FUZZ=20000000 $(TEST) --filter Fuzz

monkey: setup ## 100 000 random keys, sizes and signals against the terminal interface
	SEVDBG_MONKEY=100000 $(TEST) --filter MonkeyTests

screens: setup ## write docs/screens and README.md's screen anew
	$(call install,tmux)
	mkdir -p docs/screens
	SEVDBG_UPDATE_SCREENS=1 $(TEST) --filter DocumentedScreensTests

attach: setup build ## 1 000 times to a VMM that checks itself and away, and 200 debuggers killed
	$(call install,gcc qemu-system-x86)
	SEVDBG_ATTACH_CYCLES=1000 SEVDBG_ATTACH_KILLS=200 $(TEST) --filter Attach
	sh Tests/Selftests/attach.sh .build/selftests $(BIN)/sevdbg

bench: setup $(UNICORN)/bench .build/terminal .build/kvm .build/observe build ## speed beside Unicorn's, KVM's, QEMU's and gdb's, the cost of a VMGEXIT
	$(call install,gdb qemu-system-x86)
	@$(BUILD) --product Benchmark >&2
	@$(BIN)/Benchmark $(UNICORN)/bench .build/terminal .build/kvm $(BIN)/sevdbg
	@.build/observe $(BIN)/sevdbg || echo "observed VMM: not measured, needs root and /dev/kvm"

$(UNICORN)/bench: Tests/Benchmark/unicorn.c
	PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --target $(UNICORN) unicorn==2.1.4 >&2
	cc -O2 -I $(UNICORN)/unicorn/include -o $@ $< $(UNICORN)/unicorn/lib/libunicorn.so.2 \
	    -Wl,-rpath,$(abspath $(UNICORN)/unicorn/lib)

.build/observe: Tests/Benchmark/observe.c
	mkdir -p $(@D)
	cc -O2 -Wall -Wextra -o $@ $<

.build/terminal: Tests/Benchmark/terminal.c
	mkdir -p $(@D)
	cc -O2 -Wall -Wextra -o $@ $< -lutil

.build/kvm: Tests/Benchmark/kvm.c
	mkdir -p $(@D)
	cc -O2 -Wall -Wextra -o $@ $<

clean: ## remove everything that was built
	rm -rf .build
