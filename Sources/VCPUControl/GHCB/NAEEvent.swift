/// What an event of the page protocol takes and gives: one row of the specification's table.
///
/// REFERENCE 3a. What an event needs can depend on the request itself, so the questions take the
/// page; it may be hostile, any bytes give an answer.
package struct NAEEvent: Sendable {
    package let code: ExitCode
    /// The first protocol version that has the event; `nil`: later than version 2.
    package let version: Int?
    /// Whether it makes sense in an SEV-SNP guest only.
    package let isSNPOnly: Bool
    /// Whether KVM 6.12 has the event in its list; others get `INVALID_EVENT`.
    package let isInKVM: Bool
    private let required: [Rule]
    private let optional: [Rule]
    private let returned: [Rule]

    /// The row of a code; `nil` where the specification has no such event.
    package static func event(_ code: ExitCode) -> NAEEvent? { byCode[code] }

    /// The fields that every event needs: KVM looks at their bits before it looks at the code.
    package static let alwaysRequired: [GHCBField] = [.swExitCode, .swExitInfo1, .swExitInfo2]

    /// The fields that KVM 6.12 insists on for this request, those of every event first.
    package static func requiredFields(of page: GHCBPage) -> [GHCBField] {
        alwaysRequired + (request(page)?.required.fields(for: page) ?? [])
    }

    /// The fields that a guest may also pass with this request.
    package static func optionalFields(of page: GHCBPage) -> [GHCBField] {
        request(page)?.optional.fields(for: page) ?? []
    }

    /// The fields that the answer to this request defines, besides SW_EXITINFO1 and 2.
    package static func returnedFields(of page: GHCBPage) -> [GHCBField] {
        request(page)?.returned.fields(for: page) ?? []
    }

    private static func request(_ page: GHCBPage) -> NAEEvent? {
        event(ExitCode(page.raw(.swExitCode)))
    }

    private init(
        _ code: ExitCode, version: Int? = 1, snp: Bool = false, kvm: Bool = true,
        needs required: [Rule] = [], takes optional: [Rule] = [], gives returned: [Rule] = []
    ) {
        self.code = code
        self.version = version
        self.isSNPOnly = snp
        self.isInKVM = kvm
        self.required = required
        self.optional = optional
        self.returned = returned
    }
}

// MARK: - Rules

extension NAEEvent {
    /// A field, and when it belongs to the event.
    struct Rule: Sendable {
        let field: GHCBField
        let condition: Condition

        static func always(_ field: GHCBField) -> Rule { Rule(field: field, condition: .always) }
        static func when(_ condition: Condition, _ field: GHCBField) -> Rule {
            Rule(field: field, condition: condition)
        }
    }

    /// What in a request makes a field belong to it.
    enum Condition: Sendable {
        case always
        /// CPUID leaf 0xD; KVM compares all 64 bits of RAX.
        case xstateLeaf
        case stringPort
        case plainInput
        case plainOutput
        case msrRead
        case msrWrite
        /// SW_EXITINFO1 is 1.
        case jumpTableGet
        /// The low half of SW_EXITINFO1 is not 2.
        case notDestroy

        func holds(for page: GHCBPage) -> Bool {
            let info1 = page.raw(.swExitInfo1)
            let port = IOIOInfo(rawValue: info1)
            return switch self {
            case .always: true
            case .xstateLeaf: page.value(.rax) == 0xd
            case .stringPort: port.isString
            case .plainInput: !port.isString && port.isInput
            case .plainOutput: !port.isString && !port.isInput
            case .msrRead: info1 == 0
            case .msrWrite: info1 != 0
            case .jumpTableGet: info1 == 1
            case .notDestroy: UInt32(truncatingIfNeeded: info1) != 2
            }
        }
    }
}

extension [NAEEvent.Rule] {
    fileprivate func fields(for page: GHCBPage) -> [GHCBField] {
        filter { $0.condition.holds(for: page) }.map(\.field)
    }
}

// MARK: - The table

extension NAEEvent {
    /// Every event of REFERENCE 3a in ascending order.
    package static let table: [NAEEvent] =
        [
            NAEEvent(.readDR7, gives: [.always(.rax)]),
            NAEEvent(.writeDR7, needs: [.always(.rax)]),
            NAEEvent(.rdtsc, gives: [.always(.rax), .always(.rdx)]),
            NAEEvent(.rdpmc, needs: [.always(.rcx)], gives: [.always(.rax), .always(.rdx)]),
            NAEEvent(
                .cpuid, needs: [.always(.rax), .always(.rcx), .when(.xstateLeaf, .xcr0)],
                // Version 2 wants XSS with leaf 0xD; KVM 6.12 neither needs nor reads it.
                takes: [.when(.xstateLeaf, .xss)],
                gives: [.always(.rax), .always(.rbx), .always(.rcx), .always(.rdx)]),
            NAEEvent(.invd),
            NAEEvent(
                .ioio, needs: [.when(.stringPort, .swScratch), .when(.plainOutput, .rax)],
                takes: [.when(.plainInput, .rax)], gives: [.when(.plainInput, .rax)]),
            NAEEvent(
                .msr, needs: [.always(.rcx), .when(.msrWrite, .rax), .when(.msrWrite, .rdx)],
                gives: [.when(.msrRead, .rax), .when(.msrRead, .rdx)]),
            NAEEvent(
                .vmmcall, needs: [.always(.rax), .always(.cpl)],
                takes: [.always(.rbx), .always(.rcx), .always(.rdx), .always(.rsi)],
                gives: [.always(.rax)]),
            NAEEvent(.rdtscp, gives: [.always(.rax), .always(.rcx), .always(.rdx)]),
            NAEEvent(.wbinvd),
            NAEEvent(.monitor, needs: [.always(.rax), .always(.rcx), .always(.rdx)]),
            NAEEvent(.mwait, needs: [.always(.rax), .always(.rcx)]),
            NAEEvent(.mmioRead, needs: [.always(.swScratch)]),
            NAEEvent(.mmioWrite, needs: [.always(.swScratch)]),
            NAEEvent(.nmiComplete),
            NAEEvent(.apResetHold, gives: [.always(.swExitInfo2)]),
            NAEEvent(.apJumpTable, gives: [.when(.jumpTableGet, .swExitInfo2)]),
        ] + snpEvents + laterEvents + [
            NAEEvent(.hvFeatures, version: 2, gives: [.always(.swExitInfo2)]),
            NAEEvent(.termination, version: 2),
            NAEEvent(.unsupported),
        ]

    private static let snpEvents: [NAEEvent] = [
        NAEEvent(
            .psc, version: 2, snp: true, needs: [.always(.swScratch)],
            gives: [.always(.swExitInfo2)]),
        NAEEvent(.guestRequest, version: 2, snp: true, gives: [.always(.swExitInfo2)]),
        NAEEvent(
            .extendedGuestRequest, version: 2, snp: true, takes: [.always(.rax), .always(.rbx)],
            gives: [.always(.swExitInfo2), .always(.rbx)]),
        NAEEvent(.apCreation, version: 2, snp: true, needs: [.when(.notDestroy, .rax)]),
        NAEEvent(
            .hvDoorbellPage, version: 2, snp: true, kvm: false, gives: [.always(.swExitInfo2)]),
        NAEEvent(.hvIPI, version: 2, snp: true, kvm: false),
        NAEEvent(.hvTimer, version: 2, snp: true, kvm: false),
        NAEEvent(
            .apicIDList, version: 2, snp: true, kvm: false, takes: [.always(.rax)],
            gives: [.always(.rax)]),
        NAEEvent(.runVMPL, version: 2, snp: true, kvm: false),
    ]

    private static let laterEvents: [NAEEvent] = [
        .secureAVIC, .configureInterruptInjection, .disableAlternateInjection, .specificEOI,
        .tioGuestRequest, .tioOperation,
    ].map { NAEEvent($0, version: nil, snp: true, kvm: false) }

    private static let byCode = Dictionary(
        table.map { ($0.code, $0) }, uniquingKeysWith: { first, _ in first })
}
