import Foundation
import Testing

@testable import DebugUI

/// Whole screens as text, in `Screens/`.
///
/// `SEVDBG_UPDATE_SCREENS=1` writes them anew; read the difference before you commit it.
enum Screens {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Screens")

    static func check(_ state: UIState, _ name: String) throws {
        let text = render(state, state.size).text
        let file = folder.appending(path: name + ".txt")
        if ProcessInfo.processInfo.environment["SEVDBG_UPDATE_SCREENS"] == "1" {
            try Data(text.utf8).write(to: file)
        }
        let expected = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        #expect(text == expected, "\(name): SEVDBG_UPDATE_SCREENS=1 accepts what is shown now")
    }
}
