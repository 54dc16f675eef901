import Foundation

/// A time of day of one program that can be set while it runs, as when somebody sets a machine's clock.
///
/// What jumps is CLOCK_REALTIME, and with it every wait for a moment of it; monotonic clocks go on. See Tests/TimeOfDay.
public struct WrongClock: Sendable {
    private let file: String

    /// martlet with this clock.
    public let program: MartletProgram

    /// A clock that is right; its settings lie in `directory`.
    public init(directory: String) throws {
        file = directory + "/time-of-day"
        // Beside the program, where all that is built lies.
        let library = URL(filePath: MartletProgram.path).deletingLastPathComponent().appending(path: "libTimeOfDay.so")
        program = MartletProgram(environment: ["LD_PRELOAD": library.path, "MARTLET_TIME_OF_DAY": file])
        try jump(seconds: 0)
    }

    /// Sets the clock to so many seconds after (or before) the right time.
    public func jump(seconds: Int) throws {
        let bytes = withUnsafeBytes(of: Int64(seconds)) { Data($0) }
        // In place: the program has mapped the file.
        guard FileManager.default.fileExists(atPath: file) else { return try bytes.write(to: URL(filePath: file)) }
        let handle = try FileHandle(forWritingTo: URL(filePath: file))
        defer { handle.closeFile() }
        try handle.write(contentsOf: bytes)
    }
}
