/// Why an ELF file cannot be a guest.
///
/// Each sentence follows the file's name.
enum ELFError: Error, Equatable {
    /// A part of the file lies behind its end.
    case truncated(String)
    /// The file contradicts itself or the ELF specification.
    case damaged(String)
    /// The file is good, but no guest; the text says what it is and what to do.
    case unsupported(String)

    var sentence: String {
        switch self {
        case .truncated(let part):
            "is cut off: its \(part) would lie behind the end of the file; build or copy it again"
        case .damaged(let fault):
            "is damaged: \(fault); build or copy it again"
        case .unsupported(let text):
            text
        }
    }
}
