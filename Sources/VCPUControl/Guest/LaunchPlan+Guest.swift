extension LaunchPlan {
    /// Plans the launch of a guest: its memory, sevdbg's own pages above it, and each vCPU's state.
    ///
    /// - Throws: `.badOption` where options and guest do not fit each other.
    package init(_ image: GuestImage, _ options: LaunchOptions) throws(GuestError) {
        try options.validate()
        try options.validate(image)
        self = try LaunchPlanner(image: image, options: options).plan()
    }
}
