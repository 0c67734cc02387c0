import VCPUControl

/// The registers of the current vCPU, its flags, the other vCPUs, and the system registers.
enum RegistersView {
    /// The order of gdb's `info registers`.
    static let order: [Register] = [
        .rax, .rbx, .rcx, .rdx, .rsi, .rdi, .rbp, .rsp, .r8, .r9, .r10, .r11, .r12, .r13, .r14,
        .r15, .rip, .rflags,
    ]

    /// What a page fault or a #VC makes one look at comes first.
    static let systemOrder: [SystemRegisterName] = [
        .cr2, .cr3, .cr0, .cr4, .efer, .xcr0, .ghcb, .cs, .ss, .ds, .es, .fs, .gs, .fsBase, .gsBase,
        .gdtr, .idtr, .tr, .ldtr, .cr8, .dr6, .dr7,
    ]

    /// Rows of a guest with one vCPU: registers, flags, system registers.
    static let rows = order.count + 1 + systemOrder.count

    static func content(_ state: UIState, width: Int) -> PaneContent {
        guard let snapshot = state.snapshot else { return PaneContent([]) }
        var lines = general(state, snapshot, width)
        if case .known(let file, _) = snapshot.registers {
            lines.append(StyledText("  " + RegisterListing.flags(file[.rflags]), .strong))
        }
        let showsVCPUs = snapshot.vcpus.count > 1 && Layout(state)[.vcpus].rows == 0
        if showsVCPUs { lines += vcpus(snapshot) }
        lines += system(state, snapshot, width)
        return PaneContent(
            title: state.isRunning ? "last stop" : snapshot.registers.source, lines,
            top: state.scroll[Pane.registers.rawValue].top
                ?? 0)
    }

    private static func general(
        _ state: UIState, _ snapshot: Snapshot, _ width: Int
    ) -> [StyledText] {
        let before = state.changes.registers(of: snapshot.current)
        return order.map { register in
            let value = snapshot.registers.map { $0[register] }
            let isChanged = before.map { $0[register] != value.value } ?? false
            return row(register.name, value, isChanged: isChanged && value.value != nil, width)
        }
    }

    private static func system(
        _ state: UIState, _ snapshot: Snapshot, _ width: Int
    ) -> [StyledText] {
        let before = state.changes.system(of: snapshot.current)
        return systemOrder.map { register in
            let isAbsent = register == .ghcb && snapshot.ghcbMSR == .hidden(.absent)
            let value: Reading<UInt64> =
                isAbsent ? .hidden(.absent) : snapshot.system.map { register.value(in: $0) }
            let isChanged = before.map { register.value(in: $0) != value.value } ?? false
            let name = register.rawValue.filter { $0 != "_" }
            return row(name, value, isChanged: isChanged && value.value != nil, width)
        }
    }

    /// Mark, name, value, and where there is room the value's source.
    private static func row(
        _ name: String, _ value: Reading<UInt64>, isChanged: Bool, _ width: Int
    ) -> StyledText {
        var line = StyledText(isChanged ? "*" : " ", .changed)
        line.add(name.padded(7))
        switch value {
        case .known(let number, let source):
            line.add(number.hexDigits(16), isChanged ? .changed : .normal)
            if width >= 36 { line.add(" " + source.rawValue, .dim) }
        case .hidden(let reason):
            line.add(reason.placeholder, .hidden)
        }
        return line
    }

    /// One line for each vCPU, where these have no pane of their own.
    private static func vcpus(_ snapshot: Snapshot) -> [StyledText] {
        snapshot.vcpus.map { vcpu in
            VCPUsView.head(vcpu, in: snapshot) + StyledText(" \(vcpu.instructions.value)", .dim)
        }
    }
}
