import Foundation

/// The largest resident sets that a command's processes have had, in bytes, by the names of their programs.
struct PeakMemory {
    private(set) var bytes: [String: Int] = [:]

    /// Looks at a process; one that has ended has none any more.
    mutating func note(_ process: pid_t) {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8) else { return }
        let fields = text.split(separator: "\n").map { $0.split(separator: "\t", maxSplits: 1) }
        let field = { name in fields.first { $0.first == name }?.last }
        guard let program = field("Name:"), let size = field("VmHWM:")?.split(separator: " ").first.flatMap({ Int($0) })
        else { return }
        note(String(program), size * 1024)
    }

    private mutating func note(_ program: String, _ size: Int) {
        bytes[program] = max(bytes[program] ?? 0, size)
    }

    mutating func merge(_ other: PeakMemory) {
        for (program, size) in other.bytes { note(program, size) }
    }

    /// Megabytes of the largest; of martlet, with its name the one that it has started and that was larger.
    var text: String {
        guard let largest = bytes.max(by: { $0.value < $1.value }) else { return "–" }
        let own = bytes["martlet"] ?? largest.value
        let other = own < largest.value ? ", \(largest.key) \(largest.value / 1_000_000)" : ""
        return "\(own / 1_000_000)\(other)"
    }
}
