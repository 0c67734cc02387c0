package import VCPUControl

/// A VMGEXIT with its number since launch.
package struct ExitRecord: Record {
    package var sequence: Int
    package var exchange: Exchange

    package var number: Int { sequence }
    package func matches(_ filter: ExitFilter) -> Bool { filter.matches(exchange) }
}

/// The last VMGEXITs of a guest.
package typealias ExitLog = RecordList<ExitRecord>
