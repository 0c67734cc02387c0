internal import CBPF

/// What the kernel compares before it sends a signal: never narrower than what the user wants.
package struct KernelFilter: Sendable, Equatable {
    package enum Event: UInt32, CaseIterable, Sendable {
        /// A VMGEXIT of the page protocol.
        case page
        /// One of the MSR protocol.
        case msr
        /// A port access, on any KVM.
        case port
        /// RDMSR or WRMSR, on any KVM.
        case register

        var program: String { "stop_\(self)" }
    }

    /// The bits of a word that must be equal, and their values.
    package struct Match: Sendable, Equatable {
        package var mask: UInt64
        package var value: UInt64

        package static let any = Match(mask: 0, value: 0)
        package static func exactly(_ value: UInt64, mask: UInt64 = .max) -> Match {
            Match(mask: mask, value: value & mask)
        }

        /// What both let through, and as little besides as one comparison can.
        func union(_ other: Match) -> Match {
            .exactly(value, mask: mask & other.mask & ~(value ^ other.value))
        }
    }

    package var event: Event
    /// SW_EXITCODE, the MSR, or the port.
    package var code: Match
    package var info1 = Match.any
    package var rcx = Match.any

    /// One filter that lets through what any of these does, all of the same event.
    static func union(of filters: [KernelFilter]) -> KernelFilter? {
        guard var all = filters.first else { return nil }
        for filter in filters.dropFirst() {
            all.code = all.code.union(filter.code)
            all.info1 = all.info1.union(filter.info1)
            all.rcx = all.rcx.union(filter.rcx)
        }
        return all
    }

    var value: observe_filter {
        observe_filter(
            is_set: 1, code_mask: code.mask, code: code.value, info1_mask: info1.mask,
            info1: info1.value, rcx_mask: rcx.mask, rcx: rcx.value)
    }
}

extension ExitFilter {
    /// What the kernel can compare of the filter: exact for one term, else every VMGEXIT.
    package var kernelFilters: [KernelFilter] {
        filters(every: [.page, .msr]) { $0.kernelFilters }
    }

    /// The same for a VM without SEV-ES, whose port and MSR accesses would be VMGEXITs under it.
    ///
    /// Empty for a filter that none of them can match.
    package var accessFilters: [KernelFilter] {
        filters(every: [.port, .register]) { $0.accessFilters }
    }

    private func filters(
        every events: [KernelFilter.Event], _ filters: (Term) -> [KernelFilter]
    ) -> [KernelFilter] {
        guard conditions.count == 1, let condition = conditions.first, !condition.isNegated else {
            return events.map { KernelFilter(event: $0, code: .any) }
        }
        return filters(condition.term)
    }
}

extension ExitFilter.Term {
    fileprivate var kernelFilters: [KernelFilter] {
        switch self {
        case .port(let port):
            return [
                KernelFilter(
                    event: .page, code: .exactly(ExitCode.ioio.rawValue),
                    info1: .exactly(port << 16, mask: 0xffff_0000))
            ]
        case .msr(let number):
            return [
                KernelFilter(
                    event: .page, code: .exactly(ExitCode.msr.rawValue), rcx: .exactly(number))
            ]
        case .code(let code): return Self.filters(code)
        case .name(let name):
            let page = ExitCode(named: name).map {
                KernelFilter(event: .page, code: .exactly($0.rawValue))
            }
            let info = GHCBMSR.Info.allCases.first { $0.name == name }
            let msr = info.map {
                KernelFilter(event: .msr, code: .exactly(UInt64($0.rawValue), mask: 0xfff))
            }
            return [page, msr].compactMap { $0 }
        }
    }

    /// An exit code, and where it fits GHCBInfo.
    private static func filters(_ code: UInt64) -> [KernelFilter] {
        let page = KernelFilter(event: .page, code: .exactly(code))
        guard code <= 0xfff else { return [page] }
        return [page, KernelFilter(event: .msr, code: .exactly(code, mask: 0xfff))]
    }

    fileprivate var accessFilters: [KernelFilter] {
        switch self {
        case .port(let port): [KernelFilter(event: .port, code: .exactly(port))]
        case .msr(let number): [KernelFilter(event: .register, code: .exactly(number))]
        case .code(let code): Self.accessFilters(ExitCode(code))
        case .name(let name): ExitCode(named: name).map(Self.accessFilters) ?? []
        }
    }

    private static func accessFilters(_ code: ExitCode) -> [KernelFilter] {
        switch code {
        case .ioio: [KernelFilter(event: .port, code: .any)]
        case .msr: [KernelFilter(event: .register, code: .any)]
        default: []
        }
    }
}
