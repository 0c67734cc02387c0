internal import CBPF

/// What the kernel compares before it sends a signal: never narrower than what the user wants.
package struct KernelFilter: Sendable, Equatable {
    package enum Event: UInt32, Sendable {
        /// A VMGEXIT of the page protocol.
        case page
        /// One of the MSR protocol.
        case msr
        /// A port access, on any KVM.
        case port
        /// A VMGEXIT that KVM has answered.
        case answer
    }

    /// The bits of a word that must be equal, and their values.
    package struct Match: Sendable, Equatable {
        package var mask: UInt64
        package var value: UInt64

        package static let any = Match(mask: 0, value: 0)
        package static func exactly(_ value: UInt64, mask: UInt64 = .max) -> Match {
            Match(mask: mask, value: value & mask)
        }
    }

    package var event: Event
    /// SW_EXITCODE, the MSR, or the port.
    package var code: Match
    package var info1 = Match.any
    package var rcx = Match.any

    /// A port access.
    package static func port(_ number: UInt16) -> KernelFilter {
        KernelFilter(event: .port, code: .exactly(UInt64(number)))
    }

    var place: UInt32 { event.rawValue }

    var programs: [String] {
        switch event {
        case .page: ["stop_page"]
        case .msr: ["stop_msr"]
        case .port: ["stop_port"]
        case .answer: ["stop_answered_page", "stop_answered_msr"]
        }
    }

    func value(signal: Int32, vcpu: Int?) -> observe_filter {
        observe_filter(
            signal: UInt32(signal), vcpu: vcpu.map { UInt32(clamping: $0) } ?? .max,
            code_mask: code.mask, code: code.value, info1_mask: info1.mask, info1: info1.value,
            rcx_mask: rcx.mask, rcx: rcx.value)
    }
}

extension ExitFilter {
    /// What the kernel can compare of the filter: exact for one term, else every VMGEXIT.
    package var kernelFilters: [KernelFilter] {
        let every = [KernelFilter(event: .page, code: .any), KernelFilter(event: .msr, code: .any)]
        guard conditions.count == 1, let condition = conditions.first, !condition.isNegated else {
            return every
        }
        return condition.term.kernelFilters
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
}
