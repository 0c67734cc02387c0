extension Pane {
    /// What the columns and marks of the pane mean, in pairs.
    var help: [(mark: String, meaning: String)] {
        switch self {
        case .registers:
            [
                ("title", "where the values come from"), ("*", "changed since the last stop"),
                ("[ ]", "flags that are set in rflags"),
                ("<...>", "cannot be seen, and why: never a zero"),
                (">v0", "the vCPU that all panes show; v and V change it"),
            ]
        case .code:
            [
                (">", "the instruction at RIP"), ("B", "breakpoint; b sets and clears it"),
                ("columns", "address, bytes where there is room, AT&T syntax"),
                ("a", "shows code at an address; Esc goes back to RIP"),
            ]
        case .ghcb:
            [
                ("MSR", "what the GHCB MSR holds now, in words"),
                ("field", "of the page, with its offset in hexadecimal"),
                ("bit", "its place in the valid bitmap"),
                ("request", "what the guest wrote"), ("response", "what the hypervisor wrote"),
                ("*", "the response differs from the request"),
                ("<...>", "the guest did not mark it valid, or KVM wiped it"),
                ("title", "number and outcome of the VMGEXIT chosen in pane 4"),
            ]
        case .log:
            [
                (">", "the VMGEXIT that the GHCB pane shows"), ("columns", "number, vCPU, RIP"),
                ("!", "its outcome, where that is not ok"),
                ("->", "what the hypervisor answered"), ("?", "the guest did not mark it valid"),
                ("\\", "CPUID, !IOIO, 0x72, port=0x3f8, msr=0x10, or several with commas"),
                ("Enter o", "its GHCB; the code that made it"),
            ]
        case .console:
            [
                ("v0|", "which vCPU wrote it, where there are several"),
                ("^[ \\x9b", "bytes that are no printable characters"),
                ("\\", "shows only lines that contain a text"),
            ]
        case .memory:
            [
                (">", "the row of the address in the title"),
                ("*", "the byte has changed since the last stop"),
                ("private", "the page tables have the C-bit for the page"),
                ("shared", "they have not, or the host can read it"),
                ("unknown", "nobody outside the guest can tell"),
                ("<...>", "cannot be read, and why: never a zero"),
                ("a", "an expression as x takes it; the pane follows it"),
                ("Esc", "from scrolling back to it, then back to $rsp"),
            ]
        case .findings:
            [
                ("columns", "severity, rule, vCPU, RIP, VMGEXIT, what is wrong"),
                ("(2!)", "how many there are; ! where one is an error"),
                ("Enter", "the whole text and the specification"),
                ("o", "goes to the VMGEXIT that it belongs to"),
                ("\\", "shows only findings that contain a text"),
            ]
        case .vcpus:
            [
                (">", "the vCPU that all panes show"),
                ("columns", "number, state, RIP, symbol, instructions, VMGEXIT"),
                ("ready", "can run"), ("outside", "the VMM has it: it runs when that lets it"),
                ("halted", "waits for an interrupt"),
                ("held", "waits for its first SIPI"), ("returned", "left its entry function"),
                ("ended", "the guest is over"), ("Enter o", "chooses the vCPU; shows its code"),
            ]
        }
    }
}
