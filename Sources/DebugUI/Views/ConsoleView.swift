import VCPUControl

/// What the guest wrote, with everything escaped that is no printable character.
enum ConsoleView {
    static func content(_ state: UIState) -> PaneContent {
        let lines = state.console.shown
        let title = LogView.filterTitle(
            state.console.filter?.text, shown: lines.count, of: state.console.lines.count)
        let showsVCPU = (state.launch?.vcpus ?? 1) > 1
        let top = state.scroll[Pane.console.rawValue].top
        return PaneContent(title: title, count: lines.count, top: top) { index in
            let text = GuestText.line(lines[index].bytes)
            return showsVCPU ? StyledText("v\(lines[index].vcpu)| ", .dim) + text : text
        }
    }
}
